"""Nights in tables of Spark's session catalog, as folders of Parquet; `tests/catalogs` has catalogs that stay."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from emotion_udf.errors import UsageError, WindowHeldError
from emotion_udf.schemas import DAILY, LABELS, PARTITION, RELEASES, daily_schema
from emotion_udf.storage import open_folder
from emotion_udf.tables.catalog import CatalogWarehouse
from emotion_udf.tables.catalog_tables import CatalogTables
from emotion_udf.tables.warehouse import Commit, Release
from tests.helpers.copies import record_run
from tests.helpers.killed import Killed
from tests.helpers.nights import NIGHT, row_of, stage_rows

D4, D5, D6 = (date(2026, 10, day) for day in (4, 5, 6))
SCHEMA = "emotions_of_a_test"
TWO = {table: NIGHT[table] for table in (LABELS, DAILY)}
"""Tables of a night: as many as can differ."""


@pytest.fixture
def warehouse(spark: SparkSession, tmp_path: Path) -> Iterator[CatalogWarehouse]:
    spark.sql(f"CREATE SCHEMA {SCHEMA} LOCATION '{tmp_path}/tables'")
    yield again(spark, tmp_path)
    spark.sql(f"DROP SCHEMA {SCHEMA} CASCADE")


def again(spark: SparkSession, tmp_path: Path) -> CatalogWarehouse:
    """Open the warehouse as the next start does."""
    return CatalogWarehouse(CatalogTables(spark, f"spark_catalog.{SCHEMA}", "parquet"), open_folder(f"{tmp_path}/own"))


def stage(warehouse: CatalogWarehouse, run_id: str, days: Sequence[date]) -> None:
    for table in TWO:
        stage_rows(warehouse, table, run_id, {day: [row_of(table, run_id)] for day in days})


def publish(
    warehouse: CatalogWarehouse, run_id: str, dates: Sequence[date], rows_on: Sequence[date] | None = None
) -> Release:
    """Publish a night with a row a day and table, on all its days or some of them."""
    stage(warehouse, run_id, dates if rows_on is None else rows_on)
    return warehouse.publish(TWO, Commit(run_id, dates), warehouse.version(LABELS))


def in_both(rows: list[tuple[date, str]]) -> dict[str, list[tuple[date, str]]]:
    return dict.fromkeys(TWO, rows)


def shown(warehouse: CatalogWarehouse) -> dict[str, list[tuple[date, str]]]:
    """Return each row's date and run, of every table, whatever `releases` says."""
    tables = {table: warehouse.tables.open(table) for table in TWO}
    return {
        table: sorted((row.event_date, row.run_id) for row in rows.select(PARTITION, "run_id").collect())
        for table, rows in tables.items()
        if rows is not None
    }


def released(warehouse: CatalogWarehouse, dates: list[date]) -> list[tuple[date, str]]:
    rows = warehouse.released(DAILY, dates, ["run_id"])
    return sorted((row[PARTITION], row["run_id"]) for row in rows.to_pylist()) if rows else []


def kill_before(monkeypatch: pytest.MonkeyPatch, change: int) -> None:
    """End the run before its n-th change of a table."""
    calls = iter(range(1_000))

    def mortal(changing: Callable[..., None]) -> Callable[..., None]:
        def changed(*given: Any) -> None:
            if next(calls) == change:
                raise Killed
            changing(*given)

        return changed

    monkeypatch.setattr(CatalogTables, "replace", mortal(CatalogTables.replace))
    monkeypatch.setattr(CatalogTables, "append", mortal(CatalogTables.append))


def test_a_night_replaces_its_dates_and_no_others(warehouse: CatalogWarehouse) -> None:
    assert warehouse.repair() is None
    assert warehouse.version(LABELS) == -1
    publish(warehouse, "r1", [D4, D5])
    release = publish(warehouse, "r2", [D5, D6], rows_on=[D6])

    assert shown(warehouse) == in_both([(D4, "r1"), (D6, "r2")]), "a date without rows has none"
    assert (release.number, release.run_id, release.versions) == (2, "r2", {})
    assert warehouse.release() == release
    assert warehouse.version(LABELS) == 2
    assert warehouse.published_dates([D4, D5, D6, date(2026, 10, 7)]) == [D4, D5, D6]
    assert released(warehouse, [D4, D5, D6]) == [(D4, "r1"), (D6, "r2")]
    assert warehouse.discard("r2") is False
    assert not warehouse.data_folder(LABELS, "r2").exists(), "the tables have rows of their own"


@pytest.mark.slow
@pytest.mark.parametrize("change", [0, 1, len(TWO)])
def test_a_run_that_is_killed_is_finished_by_the_next_start(
    spark: SparkSession,
    warehouse: CatalogWarehouse,
    tmp_path: Path,
    change: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(warehouse, "r1", [D4, D5])
    with monkeypatch.context() as patched:
        kill_before(patched, change)
        with pytest.raises(Killed):
            publish(warehouse, "r2", [D5, D6])
    assert warehouse.discard("r2") is False
    assert released(warehouse, [D4, D5, D6]) == sorted([(D4, "r1"), *([(D5, "r1")] if change < 2 else [])])

    started = again(spark, tmp_path)
    release = started.repair()
    assert release is not None
    assert (release.number, release.run_id) == (2, "r2")
    assert shown(started) == in_both([(D4, "r1"), (D5, "r2"), (D6, "r2")])
    assert started.repair() == release, "nothing is left to do"


@pytest.mark.slow
def test_what_nobody_can_finish_is_left_with_a_warning(
    warehouse: CatalogWarehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patched:
        kill_before(patched, 1)
        with pytest.raises(Killed):
            publish(warehouse, "r1", [D5])
    warehouse.data_folder(DAILY, "r1").remove()
    assert warehouse.repair() is None
    assert "its files are gone: label 2026-10-05 again" in caplog.text
    assert publish(warehouse, "r2", [D5]).number == 1
    assert shown(warehouse) == in_both([(D5, "r2")])


@pytest.mark.slow
def test_of_two_runs_the_later_one_finds_the_date_taken(warehouse: CatalogWarehouse) -> None:
    stage(warehouse, "r1", [D5])
    since = warehouse.version(LABELS)
    publish(warehouse, "r2", [D5])
    with pytest.raises(WindowHeldError, match="run r2 published 2026-10-05 meanwhile"):
        warehouse.publish(TWO, Commit("r1", [D5]), since)
    assert shown(warehouse) == in_both([(D5, "r2")])
    assert warehouse.discard("r1") is True
    assert not warehouse.data_folder(LABELS, "r1").exists()


@pytest.mark.slow
def test_columns_are_added_and_others_stay(warehouse: CatalogWarehouse) -> None:
    publish(warehouse, "r1", [D5])
    stage(warehouse, "r2", [D6])
    wider = {**TWO, DAILY: daily_schema(["source"])}
    warehouse.publish(wider, Commit("r2", [D6]), warehouse.version(LABELS))
    publish(warehouse, "r3", [D6])
    assert shown(warehouse) == in_both([(D5, "r1"), (D6, "r3")])
    rows = warehouse.released(DAILY, [D5, D6], ["source", "no_such_column"])
    assert rows is not None
    assert rows["source"].to_pylist() == rows["no_such_column"].to_pylist() == [None, None]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ("(event_date date, share string) USING parquet PARTITIONED BY (event_date)", "found others for share"),
        ("(event_date date, share double) USING parquet", "partitioned by event_date, found no partitions"),
        (
            "(event_date date, emotion string) USING parquet PARTITIONED BY (emotion)",
            "partitioned by event_date, found emotion",
        ),
    ],
)
def test_a_table_that_cannot_take_a_night_is_refused(warehouse: CatalogWarehouse, columns: str, told: str) -> None:
    warehouse.tables.spark.sql(f"CREATE TABLE {SCHEMA}.{DAILY} {columns}")
    with pytest.raises(UsageError, match=told):
        publish(warehouse, "r1", [D5])
    made = [table for table in TWO if warehouse.tables.open(table) is not None]
    assert made == [DAILY], "no other table is made"


@pytest.mark.parametrize("namespace", ["spark_catalog.no_such_schema", "no_such_catalog.emotions"])
def test_a_schema_that_is_not_there_is_refused(spark: SparkSession, tmp_path: Path, namespace: str) -> None:
    warehouse = CatalogWarehouse(CatalogTables(spark, namespace), open_folder(str(tmp_path)))
    with pytest.raises(UsageError, match=f"expected the schema {namespace} in Spark's catalog, found none"):
        warehouse.repair()


@pytest.mark.slow
def test_runs_are_recorded_and_found_by_the_dates_that_they_show(warehouse: CatalogWarehouse) -> None:
    assert warehouse.recorded_runs() == set()
    assert warehouse.released_runs(["outcome"]) == {}
    for run_id, dates in (("r1", [D4, D5]), ("r2", [D5])):
        publish(warehouse, run_id, dates)
        record_run(warehouse, run_id, dates)
    assert warehouse.recorded_runs() == {"r1", "r2"}
    found = warehouse.released_runs(["from_date", "input_files"])
    assert {day: run["from_date"] for day, run in found.items()} == {D4: D4, D5: D5}
    assert found[D5]["input_files"] == ["file:///lake/ä b.parquet"]


@pytest.mark.slow
def test_a_release_can_be_told_when_spark_has_ended(
    warehouse: CatalogWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise ConnectionError

    release = publish(warehouse, "r1", [D5])
    monkeypatch.setattr(CatalogTables, "open", gone)
    assert warehouse.release() == release


@pytest.mark.slow
def test_rows_of_a_column_that_is_not_known_here_are_null(spark: SparkSession, warehouse: CatalogWarehouse) -> None:
    publish(warehouse, "r1", [D5])
    tables = warehouse.tables
    tables.make_ready(RELEASES, StructType([StructField("note", StringType())]), partition=None)
    publish(warehouse, "r2", [D6])
    rows = spark.table(tables.name(RELEASES)).orderBy("release")
    assert [(row.run_id, row.note) for row in rows.collect()] == [("r1", None), ("r2", None)]
    assert rows.where(F.size("dates") == 1).count() == 2
