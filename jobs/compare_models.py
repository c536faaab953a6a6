"""The comparison of two models, for spark-submit; see `emotion_udf.jobs.compare_models`."""

from emotion_udf.jobs.compare_models import run

run()
