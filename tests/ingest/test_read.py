from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.errors import InputError
from emotion_udf.ingest.read import read_window
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.window import Window
from tests.helpers.messages import DAY, MESSAGES, NOON, input_settings, message, write_messages


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
