"""The page for analysts; see `emotion_udf.jobs.build_dashboard`."""

from emotion_udf.jobs.build_dashboard import run

run()
