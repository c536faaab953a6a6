"""Raw rows -> checked rows: each is accepted, or carries the reasons why not."""

from collections.abc import Iterable
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from emotion_udf.ingest.read import MOST_NAME_CHARS
from emotion_udf.schemas import Reason, checked_schema
from emotion_udf.settings.nightly import InputSettings

# White space, control characters and invisible ones such as the zero-width space.
_BLANK = r"^[\s\p{Z}\p{Cc}\p{Cf}]*$"


def validate(rows: DataFrame, settings: InputSettings) -> DataFrame:
    """Give each row its `reasons`, an empty array for an accepted one.

    Of several acceptable rows of a day with the same id the latest is accepted (an edit replaces what it edits), and
    the others are `duplicate_id`. Every row comes out once, with `raw` as JSON where it is refused.

    Args:
        rows: Rows of `ingest.read.RawRows`.
        settings: The dimensions, and how long a text may be.
    """
    dimensions = list(settings.dimensions)
    reasoned = rows.withColumn("reasons", _reasons(settings))
    refused = F.size("reasons") > 0
    duplicate = F.array(F.lit(Reason.DUPLICATE_ID.value))
    return (
        reasoned.withColumn("place", _place_among_same_id(dimensions))
        .withColumn("reasons", F.when(F.col("place") > 1, duplicate).otherwise(F.col("reasons")))
        .withColumn("raw", F.when(refused, F.to_json("raw")))
        .withColumn("text", F.when(~refused, F.col("text")))
        .withColumn("feedback_id", F.make_valid_utf8("feedback_id"))
        .select(*checked_schema(dimensions).fieldNames())
    )


def _reasons(settings: InputSettings) -> Column:
    """Return the reasons that a row shows by itself, as an array without nulls."""
    text = F.col("text")
    names = ["feedback_id", *settings.dimensions]
    found = {
        Reason.MISSING_ID: F.coalesce(F.trim("feedback_id"), F.lit("")) == "",
        Reason.MISSING_CREATED_AT: F.col("created_at").isNull() & ~F.col("is_out_of_range"),
        Reason.MISSING_TEXT: text.isNull(),
        Reason.BLANK_TEXT: text.rlike(_BLANK),
        Reason.TEXT_TOO_LONG: F.length(text) > settings.max_text_chars,
        Reason.VALUE_TOO_LONG: _any(F.length(name) > MOST_NAME_CHARS for name in names),
        Reason.VALUE_OUT_OF_RANGE: F.col("is_out_of_range"),
        Reason.INVALID_UTF8: _any(~F.is_valid_utf8(name) for name in ["text", *names]),
    }
    return F.array_compact(F.array(*(F.when(is_so, F.lit(reason.value)) for reason, is_so in found.items())))


def _any(conditions: Iterable[Column]) -> Column:
    """Return whether one of some conditions holds; one that is null does not."""
    return reduce(Column.__or__, (F.coalesce(condition, F.lit(False)) for condition in conditions))


def _place_among_same_id(dimensions: list[str]) -> Column:
    """Return 1 for the row that is kept, more for those it replaces, null for rows that are refused anyway."""
    same_id = Window.partitionBy("event_date", "feedback_id", F.size("reasons"))
    # Equal times are told apart by content, so that every run keeps the same row.
    latest_first = same_id.orderBy(F.desc("created_at"), F.xxhash64("text", *dimensions))
    return F.when(F.size("reasons") == 0, F.row_number().over(latest_first))
