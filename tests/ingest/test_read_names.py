"""Columns may be called anything: a name is never taken for SQL."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emotion_udf.errors import InputError
from emotion_udf.ingest.read import read_window
from emotion_udf.settings.nightly import ColumnSettings, InputSettings
from emotion_udf.steps.pseudonymise import Pseudonyms, pseudonymise
from emotion_udf.window import Window
from tests.helpers.messages import NOON, WriteMessages

ODD = {
    "id": "id`; DROP TABLE x --",
    "text": "te.xt\n'\"",
    "created_at": "`created_at`",
    "source": "current_user()",
    "product": "$%& ü🎉\t(a, b)",
    "key": "d't=\\",
}


def test_a_column_may_have_any_name(spark: SparkSession, write: WriteMessages, day: Window) -> None:
    columns = {name: pa.array([f"the {field}"]) for field, name in ODD.items()}
    file = write("a.parquet", pa.table(columns | {ODD["created_at"]: pa.array([NOON], pa.timestamp("us", tz="UTC"))}))
    settings = InputSettings(
        path=str(file),
        columns=ColumnSettings(id=ODD["id"], text=ODD["text"], created_at=ODD["created_at"]),
        dimensions={"source": ODD["source"], "product": ODD["product"]},
        date_partition=None,
        pseudonymise=[ODD["key"], ODD["product"]],
    )
    pseudonyms = Pseudonyms(frozenset(map(str.lower, settings.pseudonymise)), b"k" * 32)
    rows = pseudonymise(read_window(spark, settings, day).rows, settings, pseudonyms)
    (row,) = rows.withColumn("json", F.to_json("raw")).collect()

    assert (row.feedback_id, row.text, row.source) == ("the id", "the text", "the source")
    assert row.product == pseudonyms.of(b"the product")
    assert row.raw[ODD["key"]] == pseudonyms.of(b"the key")
    assert "the key" not in row.json


def test_a_table_is_none_of_spark_s_ways_to_name_files(spark: SparkSession, write: WriteMessages, day: Window) -> None:
    file = write("a.parquet")
    settings = InputSettings(table="lake.feedback").model_copy(update={"table": f"parquet.`{file}`"})

    with pytest.raises(InputError, match="TABLE_OR_VIEW_NOT_FOUND"):
        read_window(spark, settings, day)
    assert Path(file).exists()
