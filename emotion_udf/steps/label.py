"""Accepted rows and scores -> `emotion_labels`."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emotion_udf.schemas import labels_schema
from emotion_udf.settings import NightSettings


def label(
    accepted: DataFrame, scores: DataFrame, settings: NightSettings, model_fingerprint: str, run_id: str
) -> DataFrame:
    """Give every accepted message the scores of its text."""
    schema = labels_schema(settings.dimensions, settings.warehouse.keep_text)
    return (
        accepted.join(scores, on="text_hash", how="inner")
        .withColumn("is_confident", F.col("confidence") >= F.lit(settings.labels.min_confidence).cast("float"))
        .withColumn("model_fingerprint", F.lit(model_fingerprint))
        .withColumn("run_id", F.lit(run_id))
        .select(*schema.fieldNames())
    )
