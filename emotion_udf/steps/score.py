"""Messages -> the scores of their texts, each text once."""

import hashlib
from collections.abc import Callable
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emotion_udf.classifier.device import Precision
from emotion_udf.schemas import scores_schema

# 128 bits of the SHA-256: two of 10^12 texts share a key with a probability of 10^-15.
_KEY_DIGITS = 32


def with_text_key(messages: DataFrame, shared: bool) -> DataFrame:
    """Add `text_key`, under which a message finds its scores.

    Args:
        messages: Rows of `checked_schema()`.
        shared: Messages of one text share a key; otherwise each has its own, and its text is scored for it alone.
    """
    hashed = F.col("text") if shared else F.concat_ws("\n", "event_date", "feedback_id")
    return messages.withColumn("text_key", F.substring(F.sha2(hashed, 256), 1, _KEY_DIGITS))


def text_key(text: str) -> str:
    """Return the key that messages of a text share."""
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]


def distinct_texts(messages: DataFrame) -> DataFrame:
    """Return each text once, with its key: retweets and templated reviews are scored one time."""
    return messages.select("text_key", "text").dropDuplicates(["text_key"])


def known_scores(history: DataFrame, keys: DataFrame, precision: Precision, since: date | None = None) -> DataFrame:
    """Return the scores of the night's texts that are in the history, one row a text.

    Two runs that overlap may both have scored a text. Any of their scores would do; always the same one is taken, so
    that a night that is run again gives the same numbers.

    Args:
        history: Rows of `text_scores` of this very model.
        keys: The `text_key` of the night's messages.
        precision: What the settings ask for. `auto` takes any scores, another precision those of nights that asked
            for it too, also where a worker fell back to fp32.
        since: Scores of earlier days are left alone: of these there are more each night. None for all scores.
    """
    others = [name for name in scores_schema().fieldNames() if name != "text_key"]
    taken = F.lit(True) if precision == "auto" else F.col("precision") == precision
    return (
        history.where(taken if since is None else (F.col("event_date") >= F.lit(since)) & taken)
        .join(keys, on="text_key", how="left_semi")
        .groupBy("text_key")
        .agg(F.min(F.struct(*others)).alias("score"))
        .select("text_key", "score.*")
        .select(*scores_schema().fieldNames())
    )


def new_texts(texts: DataFrame, known: DataFrame) -> DataFrame:
    """Return the texts that have no scores yet."""
    return texts.join(known, on="text_key", how="left_anti")


def score(texts: DataFrame, scorer: Callable[[DataFrame], DataFrame], precision: Precision, tasks: int) -> DataFrame:
    """Score distinct texts, in `tasks` tasks of about equal size.

    Args:
        texts: Texts with their `text_key`.
        scorer: Gives each row of a key and a text the fields of `udf.REPORTING_TYPE`.
        precision: What the settings ask for.
        tasks: In how many tasks.

    Returns:
        Rows of `scores_schema()`, and the column `work`, in which each task's last row tells what the task has done.
    """
    return (
        scorer(texts.repartition(tasks))
        .withColumn("precision", F.lit(precision))
        .select(*scores_schema().fieldNames(), "work")
    )


def with_origin(scores: DataFrame, day: date, run_id: str) -> DataFrame:
    """Add when and by which run texts were scored: the rows of `text_scores`, whose files need not name the model."""
    return scores.withColumn("event_date", F.lit(day)).withColumn("run_id", F.lit(run_id))
