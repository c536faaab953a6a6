"""Checked rows -> the scores of their distinct texts."""

from pyspark.sql import DataFrame
from pyspark.sql.udf import UserDefinedFunction

from emotion_udf.schemas import scores_schema


def distinct_texts(accepted: DataFrame) -> DataFrame:
    """Return each text once, with its hash: retweets and templated reviews are scored one time."""
    return accepted.select("text_hash", "text").dropDuplicates(["text_hash"])


def score(texts: DataFrame, emotion: UserDefinedFunction, tasks: int) -> DataFrame:
    """Score distinct texts, in `tasks` tasks of about equal size."""
    return (
        texts.repartition(tasks)
        .select("text_hash", emotion("text").alias("score"))
        .select("text_hash", "score.*")
        .select(*scores_schema().fieldNames())
    )
