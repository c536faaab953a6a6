"""Refused rows and files -> `quarantine`."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emotion_udf.ingest.inventory import RefusedFile
from emotion_udf.schemas import Reason, quarantine_schema
from emotion_udf.window import Window


def quarantine(refused: DataFrame, files: Sequence[RefusedFile], window: Window, run_id: str) -> DataFrame:
    """Keep every refused row as JSON and every refused file by its name, each with its reasons.

    A file has no date; it stands under the window's last day.
    """
    names = quarantine_schema().fieldNames()
    rows = refused.withColumn("run_id", F.lit(run_id)).select(*names)
    if not files:
        return rows
    entries = [(window.last, None, None, [file.reason.value], None, file.uri, run_id) for file in files]
    return rows.unionByName(rows.sparkSession.createDataFrame(entries, quarantine_schema()))


def unscorable(messages: DataFrame, keys: Sequence[str], dimensions: Sequence[str], run_id: str) -> DataFrame:
    """Keep the messages whose texts cannot be scored; as JSON, what the job has read of them.

    Args:
        messages: Accepted messages with their `text_key`.
        keys: Of the texts.
        dimensions: Their names.
        run_id: The run.
    """
    raw = F.to_json(F.struct("feedback_id", "text", "created_at", *dimensions))
    return (
        messages.where(F.col("text_key").isin(*keys))
        .withColumn("reasons", F.array(F.lit(Reason.MODEL_ERROR.value)))
        .withColumn("raw", raw)
        .withColumn("run_id", F.lit(run_id))
        .select(*quarantine_schema().fieldNames())
    )
