"""Nights without Spark: their files are written by pyarrow, and published as the job would."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.schemas import (
    DAILY,
    LABELS,
    QUARANTINE,
    TERMS,
    daily_schema,
    labels_schema,
    quarantine_schema,
    terms_schema,
)
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.warehouse import Commit, Release

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))
NIGHT = {LABELS: labels_schema([]), DAILY: daily_schema([]), QUARANTINE: quarantine_schema(), TERMS: terms_schema([])}

Shown = dict[str, list[tuple[date, str]]]


def row_of(table: str, run_id: str) -> dict[str, Any]:
    """Make a row of a table in which only its run counts."""
    required = {field.name: field.dataType.simpleString() for field in NIGHT[table] if not field.nullable}
    values = {"string": "x", "date": D5, "timestamp": None, "float": 0.5, "double": 0.5, "int": 1, "bigint": 1}
    values |= {"boolean": True, "array<string>": ["missing_id"]}
    return {name: values[dtype] for name, dtype in required.items() if name != "event_date"} | {"run_id": run_id}


def stage(warehouse: DeltaWarehouse, run_id: str, days: list[date]) -> None:
    """Write the run's files of every table, a row a day."""
    for table, schema in NIGHT.items():
        arrow = to_arrow_schema(schema, timezone="UTC")
        arrow = pa.schema([field.with_nullable(True) for field in arrow if field.name != "event_date"])
        for day in days:
            folder = Path(warehouse.data_folder(table, run_id).path) / f"event_date={day}"
            folder.mkdir(parents=True)
            pq.write_table(pa.Table.from_pylist([row_of(table, run_id)], schema=arrow), folder / "part.parquet")


def publish_night(
    warehouse: DeltaWarehouse,
    run_id: str,
    dates: list[date],
    rows_on: list[date] | None = None,
    since: int | None = None,
) -> Release:
    stage(warehouse, run_id, dates if rows_on is None else rows_on)
    since = warehouse.version(LABELS) if since is None else since
    return warehouse.publish(NIGHT, Commit(run_id, dates), since)


def released(warehouse: DeltaWarehouse) -> Shown:
    """Return each row's date and run, of every table, as readers of the release see them."""
    release = warehouse.release()
    assert release is not None
    shown: Shown = {}
    for table, version in release.versions.items():
        rows = DeltaTable(warehouse.address(table), version=version).to_pyarrow_table(columns=["event_date", "run_id"])
        shown[table] = sorted((row["event_date"], row["run_id"]) for row in rows.to_pylist())
    return shown


def same_in_all(rows: list[tuple[date, str]]) -> Shown:
    return dict.fromkeys(NIGHT, rows)
