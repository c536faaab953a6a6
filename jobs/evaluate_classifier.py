"""Measure a classifier; see `emotion_udf.jobs.evaluate_classifier`."""

from emotion_udf.jobs.evaluate_classifier import run

run()
