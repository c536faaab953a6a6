import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.functions import to_json

from emotion_udf.errors import InputError
from emotion_udf.ingest.read import read_window
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.window import Window
from tests.helpers.messages import (
    DAY,
    MESSAGES,
    NOON,
    WriteMessages,
    input_settings,
    message,
    messages,
    write_messages,
)


def ids(rows: DataFrame) -> set[str]:
    return {row.feedback_id for row in rows.select("feedback_id").collect()}


def test_only_messages_of_the_window_are_read(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    midnight = datetime(2026, 10, 5, tzinfo=UTC)
    tick = timedelta(microseconds=1)
    times = {"before": midnight - tick, "first": midnight, "last": midnight + timedelta(days=1) - tick}
    times["after"] = midnight + timedelta(days=1)
    file = write_messages(tmp_path / "a.parquet", [message(name, created_at=at) for name, at in times.items()])

    assert ids(read_window(spark, input_settings(file), day).rows) == {"first", "last"}


def test_a_zone_moves_the_window_and_the_date(spark: SparkSession, tmp_path: Path) -> None:
    late = datetime(2026, 10, 4, 22, 30, tzinfo=UTC)  # half past midnight of the 5th in Berlin
    file = write_messages(tmp_path / "a.parquet", [message("late", created_at=late)])

    rows = read_window(spark, input_settings(file), Window(DAY, DAY, "Europe/Berlin")).rows.collect()

    assert [(row.feedback_id, row.event_date) for row in rows] == [("late", DAY)]


def test_a_timestamp_without_zone_is_wall_clock_time_of_the_settings_zone(spark: SparkSession, tmp_path: Path) -> None:
    schema = MESSAGES.set(3, pa.field("created_at", pa.timestamp("us")))
    file = write_messages(tmp_path / "a.parquet", [message(created_at=datetime(2026, 10, 5, 0, 30))], schema)

    rows = read_window(spark, input_settings(file), Window(DAY, DAY, "Europe/Berlin")).rows
    instants = rows.selectExpr("unix_micros(created_at) AS at", "event_date").collect()

    assert [(row.at // 1_000_000, row.event_date) for row in instants] == [
        (int(datetime(2026, 10, 4, 22, 30, tzinfo=UTC).timestamp()), DAY)
    ]


def test_messages_without_a_time_are_taken_along_under_the_last_day(spark: SparkSession, tmp_path: Path) -> None:
    file = write_messages(tmp_path / "a.parquet", [message("undated", created_at=None)])

    rows = read_window(spark, input_settings(file), Window(DAY, date(2026, 10, 7))).rows.collect()

    assert [(row.feedback_id, row.event_date) for row in rows] == [("undated", date(2026, 10, 7))]


def test_a_folder_by_day_gives_undated_messages_their_day(spark: SparkSession, tmp_path: Path) -> None:
    for folder in ("2026-10-04", "2026-10-05", "2026-10-06"):
        write_messages(tmp_path / f"dt={folder}/a.parquet", [message(folder, created_at=None)])

    settings = input_settings(tmp_path, date_partition="dt")
    rows = read_window(spark, settings, Window(DAY, DAY)).rows.collect()

    assert [(row.feedback_id, row.event_date) for row in rows] == [("2026-10-05", DAY)]


def test_undated_messages_of_an_undated_folder_are_taken_along(spark: SparkSession, tmp_path: Path) -> None:
    write_messages(tmp_path / "dt=2026-10-05/a.parquet", [message("dated")])
    write_messages(tmp_path / "dt=__HIVE_DEFAULT_PARTITION__/a.parquet", [message("undated", created_at=None)])

    rows = read_window(spark, input_settings(tmp_path, date_partition="dt"), Window(DAY, DAY)).rows.collect()

    assert {row.feedback_id: row.event_date for row in rows} == {"dated": DAY, "undated": DAY}


def test_hive_folders_become_columns(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    schema = MESSAGES.remove(4)
    for source in ("tweet", "a b=c"):
        folder = "source=" + source.replace(" ", "%20").replace("=c", "%3Dc")
        write_messages(tmp_path / folder / "part [0].parquet", [message(source)], schema)

    rows = read_window(spark, input_settings(tmp_path), day).rows.collect()

    assert {(row.feedback_id, row.source) for row in rows} == {("tweet", "tweet"), ("a b=c", "a b=c")}


def test_columns_are_mapped_and_ids_and_dimensions_become_strings(
    spark: SparkSession, tmp_path: Path, day: Window
) -> None:
    schema = pa.schema(
        [
            ("Msg.No", pa.int64()),
            ("body", pa.large_string()),
            ("at", pa.timestamp("ms", tz="UTC")),
            ("shop", pa.int32()),
        ]
    )
    file = write_messages(tmp_path / "a.parquet", [{"Msg.No": 7, "body": "hi", "at": NOON, "shop": 3}], schema)
    settings = InputSettings(
        path=str(file),
        columns={"id": "Msg.No", "text": "body", "created_at": "at"},  # type: ignore[arg-type]
        dimensions={"branch": "shop"},
    )

    (row,) = read_window(spark, settings, day).rows.collect()

    assert (row.feedback_id, row.text, row.branch, row.event_date) == ("7", "hi", "3", DAY)
    assert row.file.endswith("a.parquet")


def test_damaged_files_are_set_aside_and_the_others_read(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    good = write_messages(tmp_path / "good.parquet", [message("good")])
    (tmp_path / "cut.parquet").write_bytes(good.read_bytes()[:-20])
    (tmp_path / "empty.parquet").write_bytes(b"")
    odd = MESSAGES.set(2, pa.field("text", pa.int64()))
    write_messages(tmp_path / "odd.parquet", [message(text=None)], odd)
    write_messages(tmp_path / "other.parquet", [message("other")])

    raw = read_window(spark, input_settings(tmp_path), day)

    assert ids(raw.rows) == {"good", "other"}
    refused = {file.uri.rsplit("/", 1)[1]: file.reason.value for file in raw.inventory.refused}
    assert refused == {
        "cut.parquet": "unreadable_file",
        "empty.parquet": "unreadable_file",
        "odd.parquet": "schema_mismatch",
    }


def test_a_night_without_folders_is_a_night_without_rows(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    write_messages(tmp_path / "dt=2026-09-01/a.parquet", [message()])

    assert read_window(spark, input_settings(tmp_path, date_partition="dt"), day).rows.count() == 0


def test_a_catalog_table_is_read(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    file = write_messages(tmp_path / "a.parquet", [message("in table")])
    spark.read.parquet(str(file)).createOrReplaceTempView("feedback_view")

    settings = InputSettings(table="feedback_view", dimensions={"source": "source"})

    assert ids(read_window(spark, settings, day).rows) == {"in table"}


def test_a_missing_table_is_an_input_error(spark: SparkSession, day: Window) -> None:
    with pytest.raises(InputError, match=r"nowhere\.feedback"):
        read_window(spark, InputSettings(table="nowhere.feedback"), day)


def read(spark: SparkSession, folder: Path, day: Window, **options: Any) -> list[Row]:
    raw = read_window(spark, InputSettings(path=str(folder), **options), day)
    rows = raw.rows.select("*", to_json("raw").alias("json")).orderBy("feedback_id").collect()
    assert len(rows) == raw.inventory.expected_rows
    return rows


def test_ids_of_every_type_are_read_together(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    ids = {
        "int32": pa.array([7], pa.int32()),
        "int64": pa.array([2**40], pa.int64()),
        "uint64": pa.array([2**64 - 1], pa.uint64()),
        "decimal": pa.array([Decimal(10**20)], pa.decimal128(38, 0)),
        "string": pa.array(["x-1"]),
        "dictionary": pa.array(["x-2"]).dictionary_encode(),
        "binary": pa.array([b"\xff\x01"]),
        "uuid": pa.array([bytes(range(16))], pa.uuid()),
    }
    for name, array in ids.items():
        write(f"{name}.parquet", messages(1, id=array))
    rows = read(spark, tmp_path / "input", day)
    assert {row.file.rpartition("/")[2].partition(".")[0]: row.feedback_id for row in rows} == {
        "int32": "7",
        "int64": str(2**40),
        "uint64": str(2**64 - 1),
        "decimal": str(10**20),
        "string": "x-1",
        "dictionary": "x-2",
        "binary": "ff01",
        "uuid": "000102030405060708090a0b0c0d0e0f",
    }


def test_times_of_every_unit_are_read_and_rounded_down(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    first = int(datetime(2026, 10, 5, tzinfo=UTC).timestamp())
    for zone in (None, "UTC"):
        for unit, per_second in {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}.items():
            stored = [first * per_second - 1, first * per_second, (first + 1) * per_second - 1]
            times = pa.array(stored, pa.int64()).cast(pa.timestamp(unit, zone))
            ids = pa.array([f"{unit} {zone} {i}" for i in range(3)])
            write(f"{unit} {zone}.parquet", messages(3, id=ids, created_at=times))
    rows = read(spark, tmp_path / "input", day)
    micros = {row.feedback_id: round((row.created_at.astimezone(UTC).timestamp() - first) * 10**6) for row in rows}
    assert micros == {
        f"{unit} {zone} {i}": 0 if i == 1 else late
        for zone in (None, "UTC")
        for unit, late in {"s": 0, "ms": 999_000, "us": 999_999, "ns": 999_999}.items()
        for i in (1, 2)
    }
    assert {json.loads(row.json)["created_at"][:10] for row in rows} == {"2026-10-05"}


def test_times_before_1970_are_rounded_down_too(spark: SparkSession, tmp_path: Path, write: WriteMessages) -> None:
    write("a.parquet", messages(1, created_at=pa.array([-1], pa.timestamp("ns", "UTC"))))
    (row,) = read(spark, tmp_path / "input", Window(date(1969, 12, 31), date(1969, 12, 31)))
    assert row.created_at.microsecond == 999_999


def test_a_time_out_of_range_refuses_its_row_only(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    noon = int(NOON.timestamp()) * 1000
    times = pa.array([noon, 2**63 - 1, -(2**63), None], pa.timestamp("ms", "UTC"))
    write("a.parquet", messages(4, created_at=times))
    rows = read(spark, tmp_path / "input", day)
    assert [row.is_out_of_range for row in rows] == [False, True, True, False]
    assert [row.created_at is None for row in rows] == [False, True, True, True]
    assert [json.loads(row.json).get("… left out") for row in rows] == [
        None, "created_at 9223372036854775807 ms", "created_at -9223372036854775808 ms", None,
    ]  # fmt: skip


def test_a_missing_dimension_is_null(spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages) -> None:
    write("new.parquet", messages(1, id=pa.array(["new"]), shop=pa.array(["b"])))
    write("old.parquet", messages(1, id=pa.array(["old"])))
    rows = read(spark, tmp_path / "input", day, dimensions={"branch": "shop", "never": "nowhere"})
    assert [(row.feedback_id, row.branch, row.never) for row in rows] == [("new", "b", None), ("old", None, None)]


def test_raw_is_the_whole_row_although_files_differ(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    write(
        "1.parquet", messages(1, id=pa.array([1]), stars=pa.array([5]), tags=pa.array([["x"]]), photo=pa.array([b"p"]))
    )
    write("2.parquet", messages(1, id=pa.array(["2"]), stars=pa.array(["five"]), tags=pa.array(["x"])))
    first, second = (json.loads(row.json) for row in read(spark, tmp_path / "input", day))
    assert first == {
        "id": "1", "text": "i feel fine", "created_at": "2026-10-05T12:00:00.000Z", "stars": "5", "photo": "cA==",
        "… left out": "tags",
    }  # fmt: skip
    assert second == {
        "id": "2", "text": "i feel fine", "created_at": "2026-10-05T12:00:00.000Z", "stars": "five",
        "… left out": "tags",
    }  # fmt: skip


def test_values_that_are_too_long_are_cut_before_anything_copies_them(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    huge = pa.array(["x" * 30_000_000])
    some = 2_000  # enough rows for columns that are not needed to be small on average
    long = pa.array(["x" * 100_000] + ["x"] * (some - 1))
    photo = pa.array([b"x" * 100_000] + [b"x"] * (some - 1))
    times = pa.array([NOON] + [NOON - timedelta(days=9)] * (some - 1), pa.timestamp("us", "UTC"))
    few = pa.concat_arrays([huge, pa.array(["x"] * (some - 1))])
    nested = pa.array([["x" * 100_000]] + [["x"]] * (some - 1))
    clock = pa.array([1] * some, pa.time32("s"))
    table = messages(some, id=few, text=few, shop=few, photo=photo, notes=long, created_at=times)
    table = table.append_column("tags", nested).append_column("clock", clock)
    write("a.parquet", table, use_dictionary=False)
    (row,) = read(spark, tmp_path / "input", day, dimensions={"shop": "shop"}, max_text_chars=100)
    assert (len(row.feedback_id), len(row.text), len(row.shop)) == (1_001, 101, 1_001)
    raw = json.loads(row.json)
    assert raw["notes"].endswith("x… 100000 bytes in all")
    assert raw["photo"] == "… 100000 bytes left out"
    assert raw["… left out"] == "clock, tags"
    assert len(row.json) < 50_000


def test_keys_in_percent_encoded_utf8_are_read(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    for number, folder in enumerate(["gr%C3%BCn", "grün", "a%20b", "plain"]):
        write(f"source={folder}/a.parquet", messages(1, id=pa.array([str(number)])))
    rows = read(spark, tmp_path / "input", day, dimensions={"source": "source"})
    assert [row.source for row in rows] == ["grün", "grün", "a b", "plain"]


def test_a_date_partition_that_a_table_lacks_is_named(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    file = write_messages(tmp_path / "a.parquet", [message()])
    spark.read.parquet(str(file)).createOrReplaceTempView("no_day_view")
    with pytest.raises(InputError, match=r"expected a column dt in no_day_view"):
        read_window(spark, InputSettings(table="no_day_view", date_partition="dt"), day)


def test_keys_in_folders_of_several_depths_are_read(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    for number, folder in enumerate(["deep/source=a", "source=b", "source=c/more", "[x]/source=d"]):
        write(f"{folder}/1.parquet", messages(1, id=pa.array([str(number)])))
    rows = read(spark, tmp_path / "input", day, dimensions={"source": "source"})
    assert [row.source for row in rows] == ["a", "b", "c", "d"]
