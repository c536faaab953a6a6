"""Publishing to Delta tables, with Parquet files written as Spark's executors would."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from emotion_udf.errors import GateError, UsageError, WindowHeldError
from emotion_udf.schemas import DAILY, QUARANTINE, daily_schema, quarantine_schema
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.warehouse import Commit

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))
BOTH = {DAILY: daily_schema([]), QUARANTINE: quarantine_schema()}

Row = dict[str, Any]


def daily(run_id: str, count: int = 1, **dimensions: str) -> Row:
    """A row of `emotion_daily`, without its date."""
    numbers = {"feedback_count": count, "total_count": count, "low_confidence_count": 0}
    return {"emotion": "joy", "share": 1.0, "mean_probability": 1.0, "run_id": run_id} | numbers | dimensions


def stage(warehouse: DeltaWarehouse, table: str, schema: StructType, run_id: str, days: dict[date, list[Row]]) -> None:
    """Write a run's rows of some days where Spark would; a day without rows has no file."""
    arrow = to_arrow_schema(schema, timezone="UTC")
    arrow = arrow.remove(arrow.get_field_index("event_date"))
    for day, rows in days.items():
        folder = Path(warehouse.data_folder(table, run_id).path) / f"event_date={day}"
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=arrow), folder / "part.parquet")


def publish(
    warehouse: DeltaWarehouse,
    run_id: str,
    dates: Iterable[date],
    counts: dict[date, int] | None = None,
    since: int | None = None,
    **dimensions: str,
) -> None:
    """Stage and publish `emotion_daily`: for each day of `counts` a row with that count, by default one a date."""
    dates = list(dates)
    counts = dict.fromkeys(dates, 1) if counts is None else counts
    schema = daily_schema(list(dimensions))
    stage(warehouse, DAILY, schema, run_id, {day: [daily(run_id, n, **dimensions)] for day, n in counts.items()})
    warehouse.publish({DAILY: schema}, Commit(run_id, dates), warehouse.version(DAILY) if since is None else since)


def read(warehouse: DeltaWarehouse, table: str = DAILY) -> list[Row]:
    rows: list[Row] = DeltaTable(warehouse.address(table)).to_pyarrow_table().to_pylist()
    return rows


def shown(warehouse: DeltaWarehouse, table: str = DAILY) -> list[tuple[date, str]]:
    """Return each row's date and run."""
    return sorted((row["event_date"], row["run_id"]) for row in read(warehouse, table))


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


def test_there_is_no_version_before_the_first_commit(warehouse: DeltaWarehouse) -> None:
    assert warehouse.version(DAILY) == -1


def test_files_go_below_the_table_and_the_run(warehouse: DeltaWarehouse) -> None:
    assert warehouse.data_folder(DAILY, "r1").path == f"{warehouse.root.path}/emotion_daily/data/r1"


def test_the_first_publish_makes_the_table(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5, D6], {D5: 3, D6: 4})
    table = DeltaTable(warehouse.folder(DAILY).delta_uri)
    assert table.metadata().name == DAILY
    assert table.metadata().partition_columns == ["event_date"]
    assert [field.name for field in table.schema().fields] == daily_schema([]).fieldNames()
    assert sorted((row["event_date"], row["feedback_count"]) for row in read(warehouse)) == [(D5, 3), (D6, 4)]


def test_a_file_not_yet_published_is_not_seen(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5])
    stage(warehouse, DAILY, daily_schema([]), "r2", {D5: [daily("r2")]})
    assert shown(warehouse) == [(D5, "r1")]


def test_a_run_replaces_its_dates_and_no_other(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5, D6, D7])
    publish(warehouse, "r2", [D6])
    assert shown(warehouse) == [(D5, "r1"), (D6, "r2"), (D7, "r1")]


def test_a_date_without_files_becomes_empty(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5, D6])
    publish(warehouse, "r2", [D5, D6], {D6: 1})
    assert shown(warehouse) == [(D6, "r2")]


def test_a_run_without_any_rows_makes_an_empty_table(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5], {})
    assert read(warehouse) == []


def test_the_third_run_leaves_what_the_first_left(warehouse: DeltaWarehouse) -> None:
    states = []
    for run_id in ("r1", "r2", "r3"):
        publish(warehouse, run_id, [D5, D6], {D5: 3, D6: 4})
        states.append(sorted((row["event_date"], row["feedback_count"]) for row in read(warehouse)))
    assert states == [[(D5, 3), (D6, 4)]] * 3


def test_publishing_the_same_run_again_changes_no_row(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5])
    warehouse.publish({DAILY: daily_schema([])}, Commit("r1", [D5]), -1)
    assert shown(warehouse) == [(D5, "r1")]


def test_a_new_dimension_is_null_in_older_rows(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5])
    publish(warehouse, "r2", [D6], source="tweet")
    assert {row["event_date"]: row["source"] for row in read(warehouse)} == {D5: None, D6: "tweet"}


def test_a_column_of_another_type_is_refused(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5])
    fields = [StructField(f.name, StringType()) if f.name == "share" else f for f in daily_schema([])]
    version = warehouse.version(DAILY)
    with pytest.raises(UsageError) as caught:
        warehouse.publish({DAILY: StructType(fields)}, Commit("r2", [D5]), version)
    assert str(caught.value) == (
        "expected the table emotion_daily to have this version's column types, found others for share; publish to "
        "another warehouse.root, or migrate the table"
    )
    assert warehouse.version(DAILY) == version
    assert shown(warehouse) == [(D5, "r1")]


def test_a_run_whose_dates_were_published_meanwhile_changes_nothing(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r0", [D5])
    since = warehouse.version(DAILY)
    publish(warehouse, "r1", [D5, D6])
    version = warehouse.version(DAILY)
    with pytest.raises(WindowHeldError) as caught:
        publish(warehouse, "r2", [D6, D7], since=since)
    assert "found that run r1 published 2026-10-06 meanwhile" in str(caught.value)
    assert warehouse.version(DAILY) == version
    assert shown(warehouse) == [(D5, "r1"), (D6, "r1")]


def test_a_date_emptied_meanwhile_counts_as_published(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r0", [D5])
    since = warehouse.version(DAILY)
    publish(warehouse, "r1", [D5], {})
    with pytest.raises(WindowHeldError):
        publish(warehouse, "r2", [D5], since=since)
    assert read(warehouse) == []


def test_two_first_runs_of_the_same_date_end_as_one(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5], since=-1)
    with pytest.raises(WindowHeldError):
        publish(warehouse, "r2", [D5], since=-1)
    assert shown(warehouse) == [(D5, "r1")]


def test_other_dates_published_meanwhile_do_not_matter(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r0", [D5])
    since = warehouse.version(DAILY)
    publish(warehouse, "r1", [D6])
    publish(warehouse, "r2", [D5, D7], since=since)
    assert shown(warehouse) == [(D5, "r2"), (D6, "r1"), (D7, "r2")]


def test_commits_without_a_run_do_not_matter(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r0", [D5])
    since = warehouse.version(DAILY)
    DeltaTable(warehouse.folder(DAILY).delta_uri).alter.set_table_name("renamed")
    publish(warehouse, "r1", [D5], since=since)
    assert shown(warehouse) == [(D5, "r1")]


def test_runs_of_other_dates_may_publish_at_once(warehouse: DeltaWarehouse) -> None:
    days = [D5 + timedelta(days=n) for n in range(6)]
    publish(warehouse, "r0", days)
    since = warehouse.version(DAILY)
    with ThreadPoolExecutor(len(days)) as pool:
        list(pool.map(lambda day: publish(DeltaWarehouse(warehouse.root), f"of-{day}", [day], since=since), days))
    assert shown(warehouse) == [(day, f"of-{day}") for day in days]


def test_of_runs_of_one_date_at_once_exactly_one_publishes(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r0", [D5])
    since = warehouse.version(DAILY)

    def attempt(n: int) -> str | None:
        try:
            publish(DeltaWarehouse(warehouse.root), f"r{n}", [D5], since=since)
        except WindowHeldError:
            return None
        return f"r{n}"

    with ThreadPoolExecutor(4) as pool:
        (winner,) = [run_id for run_id in pool.map(attempt, range(1, 5)) if run_id]
    assert shown(warehouse) == [(D5, winner)]


class Interrupted(DeltaWarehouse):
    """A warehouse in which another run publishes right after this one's first table."""

    def __init__(self, root: Folder, other_run: str) -> None:
        super().__init__(root)
        self.other_run = other_run

    def data_folder(self, table: str, run_id: str) -> Folder:
        if table == QUARANTINE and self.other_run:
            other, self.other_run = self.other_run, ""
            publish_both(DeltaWarehouse(self.root), other)
        return super().data_folder(table, run_id)


def publish_both(warehouse: DeltaWarehouse, run_id: str) -> None:
    refused = {"reasons": ["missing_id"], "run_id": run_id}
    stage(DeltaWarehouse(warehouse.root), DAILY, BOTH[DAILY], run_id, {D5: [daily(run_id)]})
    stage(DeltaWarehouse(warehouse.root), QUARANTINE, BOTH[QUARANTINE], run_id, {D5: [refused]})
    warehouse.publish(BOTH, Commit(run_id, [D5]), warehouse.version(DAILY))


def test_a_run_overtaken_between_two_tables_leaves_the_rest_to_the_other(warehouse: DeltaWarehouse) -> None:
    with pytest.raises(WindowHeldError, match="found that run late published 2026-10-05 meanwhile"):
        publish_both(Interrupted(warehouse.root, "late"), "early")
    assert shown(warehouse) == [(D5, "late")]
    assert shown(warehouse, QUARANTINE) == [(D5, "late")]


def test_all_tables_of_a_run_are_published(warehouse: DeltaWarehouse) -> None:
    publish_both(warehouse, "r1")
    publish_both(warehouse, "r2")
    assert shown(warehouse) == [(D5, "r2")]
    assert shown(warehouse, QUARANTINE) == [(D5, "r2")]


def test_the_history_tells_the_run_and_its_dates(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5, D6], {D5: 1})
    (latest,) = DeltaTable(warehouse.folder(DAILY).delta_uri).history(1)
    assert latest["emotion_udf.run_id"] == "r1"
    assert json.loads(latest["emotion_udf.dates"]) == ["2026-10-05", "2026-10-06"]


def test_an_earlier_night_can_be_restored(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5])
    version = warehouse.version(DAILY)
    publish(warehouse, "r2", [D5])
    DeltaTable(warehouse.folder(DAILY).delta_uri).restore(version)
    assert shown(warehouse) == [(D5, "r1")]


DAYS = st.integers(0, 4).map(lambda n: D5 + timedelta(days=n))


@settings(max_examples=15)
@given(st.lists(st.dictionaries(DAYS, st.booleans(), min_size=1), min_size=1, max_size=6))
def test_every_date_always_shows_the_rows_of_one_run(
    tmp_path_factory: pytest.TempPathFactory, runs: list[dict[date, bool]]
) -> None:
    """Each run has some dates, with or without rows."""
    warehouse = DeltaWarehouse(open_folder(str(tmp_path_factory.mktemp("warehouse"))))
    expected: dict[date, str | None] = {}
    for number, days in enumerate(runs):
        run_id = f"r{number}"
        publish(warehouse, run_id, days, {day: 1 for day, has_rows in days.items() if has_rows})
        expected |= {day: run_id if has_rows else None for day, has_rows in days.items()}
        assert shown(warehouse) == sorted((day, run) for day, run in expected.items() if run)


def test_a_dimension_that_is_dropped_stays_in_older_rows(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5], source="tweet")
    publish(warehouse, "r2", [D6])
    assert {row["event_date"]: row.get("source") for row in read(warehouse)} == {D5: "tweet", D6: None}


def test_when_a_later_table_cannot_take_the_run_no_table_does(warehouse: DeltaWarehouse) -> None:
    publish_both(warehouse, "r1")
    fields = [StructField(f.name, StringType()) if f.name == "reasons" else f for f in quarantine_schema()]
    stage(warehouse, DAILY, daily_schema([]), "r2", {D5: [daily("r2")]})
    tables = {DAILY: daily_schema([]), QUARANTINE: StructType(fields)}
    with pytest.raises(UsageError):
        warehouse.publish(tables, Commit("r2", [D5]), warehouse.version(DAILY))
    assert shown(warehouse) == [(D5, "r1")]


def test_a_refused_run_with_a_new_dimension_changes_nothing(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5])
    version = warehouse.version(DAILY)
    with pytest.raises(WindowHeldError):
        publish(warehouse, "r2", [D5], since=-1, source="tweet")
    assert warehouse.version(DAILY) == version


def test_a_file_of_another_date_never_joins_another_runs_rows(warehouse: DeltaWarehouse) -> None:
    publish(warehouse, "r1", [D5, D6])
    with pytest.raises(GateError, match="found rows of 2026-10-06"):
        publish(warehouse, "r2", [D5], {D5: 1, D6: 1})
    assert shown(warehouse) == [(D5, "r1"), (D6, "r1")]


def test_many_first_runs_at_once_all_publish(tmp_path: Path) -> None:
    root = open_folder(str(tmp_path))
    days = [D5 + timedelta(days=n) for n in range(6)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda day: publish(DeltaWarehouse(root), f"r{day.day}", [day], {day: 1}), days))
    assert shown(DeltaWarehouse(root)) == [(day, f"r{day.day}") for day in days]
