"""Whether days are published; see `emotion_udf.jobs.check_published`."""

from emotion_udf.jobs.check_published import run

run()
