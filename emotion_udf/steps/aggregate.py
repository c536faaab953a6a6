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
    # No dimension's name begins with _, so these columns cannot be taken for one.
    by_text = labels.groupBy(*group, "text_key", "emotion").agg(
        F.count("*").alias("_messages"),
        *(F.sum(_scaled(emotion)).alias(f"_{emotion}") for emotion in EMOTIONS),
        *(F.sum(value).alias(f"_{name}") for name, value in _counted().items()),
    )
    return (
        by_text.groupBy(*group)
        .agg(F.sum("_messages").alias("total_count"), F.array(*map(_one_emotion, EMOTIONS)).alias("_emotions"))
        .select(*group, "total_count", F.inline("_emotions"))
        .withColumn("share", F.col("feedback_count") / F.col("total_count"))
        .withColumn("mean_probability", F.col("_probability_sum") / _SCALE / F.col("total_count"))
        .withColumn("run_id", F.lit(run_id))
        .select(*daily_schema(dimensions).fieldNames())
    )


def bad_probabilities() -> Column:
    """Count the labels whose six probabilities are not all finite or do not sum to 1."""
    total = reduce(add, (F.col(emotion).cast("double") for emotion in EMOTIONS))
    # Spark takes NaN as larger than any number, so a comparison with it is false here.
    return F.count_if(~F.coalesce(F.abs(total - 1) <= _SUM_TOLERANCE, F.lit(False)))


def _scaled(emotion: str) -> Column:
    return F.round(F.col(emotion).cast("double") * _SCALE).try_cast("long")  # a NaN is for the gate to find


def _counted() -> dict[str, Column]:
    """What is added up over the messages of an emotion, by the name of its column."""
    return {
        "low_confidence_count": F.when(F.col("is_confident"), 0).otherwise(1),
        "truncated_count": F.when(F.col("is_truncated"), 1).otherwise(0),
        "foreign_count": F.when(F.col("is_supported_language"), 0).otherwise(1),
        "token_count": F.col("token_count"),
        "unknown_token_count": F.col("unknown_token_count"),
    }


def _one_emotion(emotion: str) -> Column:
    """Return the row of one emotion from the texts of a group."""
    is_label = F.col("emotion") == emotion

    def of_label(name: str) -> Column:
        return F.coalesce(F.sum(F.when(is_label, F.col(f"_{name}"))), F.lit(0)).alias(name)

    return F.struct(
        F.lit(emotion).alias("emotion"),
        of_label("messages").alias("feedback_count"),
        F.sum(f"_{emotion}").alias("_probability_sum"),
        F.count_if(is_label).alias("distinct_text_count"),
        *(of_label(name) for name in _counted()),
    )
