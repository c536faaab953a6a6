"""The maintenance job; see `emotion_udf.jobs.maintain_tables`."""

from emotion_udf.jobs.maintain_tables import run

run()
