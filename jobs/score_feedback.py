"""The nightly job, for spark-submit; see `emotion_udf.jobs.score_feedback`."""

from emotion_udf.jobs.score_feedback import run

run()
