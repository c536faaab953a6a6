"""Copies for PostgreSQL; see `emotion_udf.jobs.publish_postgres`."""

from emotion_udf.jobs.publish_postgres import run

run()
