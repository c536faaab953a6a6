"""Train a classifier; see `emotion_udf.jobs.train_classifier`."""

from emotion_udf.jobs.train_classifier import run

run()
