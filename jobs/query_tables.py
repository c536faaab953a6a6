"""The SQL prompt over a release's tables; see `emotion_udf.jobs.query_tables`."""

from emotion_udf.jobs.query_tables import run

run()
