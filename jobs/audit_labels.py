"""The audit of labels, for spark-submit; see `emotion_udf.jobs.audit_labels`."""

from emotion_udf.jobs.audit_labels import run

run()
