import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.ingest.read import read_window
from emotion_udf.schemas import Reason, checked_schema
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.steps.validate import validate
from emotion_udf.window import Window
from tests.helpers.messages import MESSAGES, NOON, WriteMessages, input_settings, message, write_messages
from tests.helpers.messages import messages as good_messages


def check(spark: SparkSession, folder: Path, day: Window, rows: list[dict[str, Any]], **limits: Any) -> DataFrame:
    given_settings = input_settings(write_messages(folder / "a.parquet", rows), **limits)
    return validate(read_window(spark, given_settings, day).rows, given_settings)


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, []),
        ({"text": "🎉🎉"}, []),
        ({"source": None}, []),
        ({"id": None}, ["missing_id"]),
        ({"id": "  "}, ["missing_id"]),
        ({"text": None}, ["missing_text"]),
        ({"text": ""}, ["blank_text"]),
        ({"text": " \t\r\n\u00a0\u200b\u0007"}, ["blank_text"]),
        ({"text": "x" * 51}, ["text_too_long"]),
        ({"created_at": None}, ["missing_created_at"]),
        ({"id": "x" * 1_000}, []),
        ({"id": "ü" * 1_000}, []),
        ({"id": "x" * 1_001}, ["value_too_long"]),
        ({"source": "x" * 1_001}, ["value_too_long"]),
        ({"text": "ü" * 50}, []),
        ({"text": "ü" * 51}, ["text_too_long"]),
        ({"id": "", "text": None, "created_at": None}, ["missing_id", "missing_created_at", "missing_text"]),
    ],
)
def test_reasons(spark: SparkSession, tmp_path: Path, day: Window, change: dict[str, Any], reasons: list[str]) -> None:
    (row,) = check(spark, tmp_path, day, [message() | change], max_text_chars=50).collect()

    assert row.reasons == reasons


def test_the_columns_are_those_of_the_contract(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    assert check(spark, tmp_path, day, [message()]).columns == checked_schema(["source"]).fieldNames()


def test_an_accepted_row_keeps_its_text_and_a_refused_one_its_whole_row(
    spark: SparkSession, tmp_path: Path, day: Window
) -> None:
    rows = {r.feedback_id: r for r in check(spark, tmp_path, day, [message("good"), message("bad", " ")]).collect()}

    assert (rows["good"].text, rows["good"].raw) == ("i feel fine", None)
    assert rows["bad"].text is None
    assert json.loads(rows["bad"].raw) == {
        "id": "bad",
        "author": "ann",
        "text": " ",
        "created_at": "2026-10-05T12:00:00.000Z",
        "source": "tweet",
    }


def test_a_time_out_of_range_is_a_reason_of_its_own(spark: SparkSession, day: Window, write: WriteMessages) -> None:
    table = good_messages(2, created_at=pa.array([2**63 - 1, None], pa.timestamp("ms", "UTC")))
    settings = InputSettings(path=str(write("a.parquet", table)))
    rows = validate(read_window(spark, settings, day).rows, settings).orderBy("feedback_id").collect()

    assert [row.reasons for row in rows] == [["value_out_of_range"], ["missing_created_at"]]


def test_of_one_id_the_latest_message_stays(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    edits = [message("m", f"version {i}", created_at=NOON + timedelta(minutes=i)) for i in range(3)]
    rows = check(spark, tmp_path, day, edits).collect()

    assert [row.text for row in rows if not row.reasons] == ["version 2"]
    assert [row.reasons for row in rows if row.reasons] == [["duplicate_id"]] * 2


def test_a_refused_message_does_not_replace_a_good_one(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    blank_edit = message("m", " ", created_at=NOON + timedelta(minutes=1))
    rows = check(spark, tmp_path, day, [message("m"), blank_edit]).collect()

    assert sorted(row.reasons for row in rows) == [[], ["blank_text"]]


def test_the_same_id_on_two_days_is_two_messages(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    rows = [message("m"), message("m", created_at=NOON + timedelta(days=1))]
    window = Window(day.first, day.first + timedelta(days=1))

    assert [row.reasons for row in check(spark, tmp_path, window, rows).collect()] == [[], []]


@pytest.mark.parametrize("column", ["id", "text", "source"])
def test_invalid_utf8_is_refused_and_harms_nothing(
    spark: SparkSession, tmp_path: Path, day: Window, column: str
) -> None:
    binary = pa.schema([pa.field(f.name, pa.binary() if f.name == column else f.type) for f in MESSAGES])
    table = pa.Table.from_pylist([message() | {column: b"caf\xe9"}, message("good") | {column: b"good"}], schema=binary)
    # A writer that does not check its strings: the bytes are stored as they are, under the string type.
    spark.createDataFrame(table).selectExpr(
        *(f"CAST({f.name} AS STRING) AS {f.name}" if f.name == column else f.name for f in MESSAGES)
    ).write.parquet(str(tmp_path / "in"))

    given_settings = input_settings(tmp_path / "in")
    checked = validate(read_window(spark, given_settings, day).rows, given_settings)
    checked.write.parquet(str(tmp_path / "out"))
    rows = spark.read.parquet(str(tmp_path / "out")).collect()

    assert sorted(row.reasons for row in rows) == [[], ["invalid_utf8"]]
    (refused,) = (row for row in rows if row.reasons)
    assert json.loads(refused.raw)["author"] == "ann"


texts = st.one_of(st.none(), st.text(max_size=20), st.sampled_from([" ", "\u200b", "i feel fine"]))
messages = st.builds(
    message,
    id_=st.one_of(st.none(), st.sampled_from(["", "a", "b", "c"])),
    text=texts,
    created_at=st.one_of(st.none(), st.integers(0, 5).map(lambda hours: NOON + timedelta(hours=hours))),
    source=st.one_of(st.none(), st.sampled_from(["tweet", "review"])),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(messages, max_size=12))
def test_no_row_is_lost_or_doubled_and_accepted_ids_are_unique(
    spark: SparkSession, tmp_path: Path, day: Window, rows: list[dict[str, Any]]
) -> None:
    checked = check(spark, tmp_path, day, rows).collect()
    accepted = [row for row in checked if not row.reasons]

    assert Counter(row.feedback_id for row in checked) == Counter(row["id"] for row in rows)
    assert len({row.feedback_id for row in accepted}) == len(accepted)
    assert all(row.text and row.feedback_id and row.created_at for row in accepted)
    assert all(set(row.reasons) <= {reason.value for reason in Reason} for row in checked)
