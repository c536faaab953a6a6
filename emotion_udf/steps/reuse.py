"""What is not scored again: a text that stands in the night twice, or that an earlier night has scored."""

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from emotion_udf.classifier.device import Precision
from emotion_udf.schemas import scores_schema


def each_message_its_own_text(accepted: DataFrame) -> DataFrame:
    """Give every message a key of its own in the place of its text's hash, so that nothing is shared."""
    return accepted.withColumn("text_hash", F.sha2(F.concat_ws("\n", "event_date", "feedback_id"), 256))


def known_scores(history: DataFrame, accepted: DataFrame, precision: Precision) -> DataFrame:
    """Return the scores of the night's texts that are in the history, one row a text.

    Two runs that overlap may both have scored a text. Any of their scores would do; always the same one is taken, so
    that a night that is run again gives the same numbers.

    Args:
        history: Rows of `text_scores` of this very model.
        accepted: The night's messages.
        precision: What the settings ask for; scores of another precision are not taken for it.
    """
    others = [name for name in scores_schema().fieldNames() if name != "text_hash"]
    return (
        history.where(_is_of(precision))
        .join(accepted.select("text_hash"), on="text_hash", how="left_semi")
        .groupBy("text_hash")
        .agg(F.min(F.struct(*others)).alias("score"))
        .select("text_hash", "score.*")
    )


def new_texts(texts: DataFrame, known: DataFrame) -> DataFrame:
    """Return the texts that have no scores yet."""
    return texts.join(known, on="text_hash", how="left_anti")


def with_origin(scores: DataFrame, day: date, run_id: str) -> DataFrame:
    """Say when and by which run texts were scored: the rows of `text_scores`, whose model their files need not name."""
    return scores.withColumn("event_date", F.lit(day)).withColumn("run_id", F.lit(run_id))


def _is_of(precision: Precision) -> Column:
    return F.lit(True) if precision == "auto" else F.col("engine").startswith(f"torch {precision} ")
