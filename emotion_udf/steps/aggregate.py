"""`emotion_labels` -> `emotion_daily`."""

from collections.abc import Sequence
from functools import reduce
from operator import add

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from emotion_udf.emotions import EMOTIONS
from emotion_udf.schemas import daily_schema

# Probabilities are added as whole billionths: sums of floats change with the order in which tasks end.
_SCALE = 1_000_000_000
# Six float32 probabilities sum to 1 within some 1e-6; half-precision ones within some 1e-3.
_SUM_TOLERANCE = 5e-3


def aggregate(labels: DataFrame, dimensions: Sequence[str], run_id: str) -> DataFrame:
    """Count each date and combination of dimensions by emotion, with a row for each of the six.

    `share` is `feedback_count / total_count`, and `mean_probability` the mean over all messages of the group, so both
    add up to 1 over the six emotions of a group.
    """
    group = ["event_date", *dimensions]
    return (
        labels.groupBy(*group)
        .agg(F.count("*").alias("total_count"), F.array(*map(_one_emotion, EMOTIONS)).alias("emotions"))
        .select(*group, "total_count", F.inline("emotions"))
        .withColumn("share", F.col("feedback_count") / F.col("total_count"))
        .withColumn("mean_probability", F.col("probability_sum") / _SCALE / F.col("total_count"))
        .withColumn("run_id", F.lit(run_id))
        .select(*daily_schema(dimensions).fieldNames())
    )


def bad_probabilities() -> Column:
    """Count the labels whose six probabilities are not all finite or do not sum to 1."""
    total = reduce(add, (F.col(emotion).cast("double") for emotion in EMOTIONS))
    # Spark takes NaN as larger than any number, so a comparison with it is false here.
    return F.count_if(~F.coalesce(F.abs(total - 1) <= _SUM_TOLERANCE, F.lit(False)))


def _one_emotion(emotion: str) -> Column:
    is_label = F.col("emotion") == emotion
    scaled = F.round(F.col(emotion).cast("double") * _SCALE).try_cast("long")  # a NaN is for the gate to find
    return F.struct(
        F.lit(emotion).alias("emotion"),
        F.count_if(is_label).alias("feedback_count"),
        F.sum(scaled).alias("probability_sum"),
        F.count_if(is_label & ~F.col("is_confident")).alias("low_confidence_count"),
        F.count_if(is_label & F.col("is_truncated")).alias("truncated_count"),
    )
