"""Nights at the level of the tables, without Spark: files as its executors would write them, published as it would."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.emotions import EMOTIONS
from emotion_udf.schemas import (
    DAILY,
    LABELS,
    QUARANTINE,
    TERMS,
    TEXT_SCORES,
    daily_schema,
    labels_schema,
    quarantine_schema,
    terms_schema,
    text_scores_schema,
)
from emotion_udf.storage import Folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.warehouse import Commit, Release, Warehouse

NIGHT = {
    LABELS: labels_schema([], keep_text=True),
    DAILY: daily_schema([]),
    QUARANTINE: quarantine_schema(),
    TERMS: terms_schema([]),
}

Row = dict[str, Any]
Shown = dict[str, list[tuple[date, str]]]


def row_of(table: str, run_id: str, **values: Any) -> Row:
    """Make a row of a table in which only its run and `values` count."""
    plain = {"string": "x", "timestamp": datetime(2026, 10, 5, 12, tzinfo=UTC), "float": 0.5, "double": 0.5}
    plain |= {"int": 1, "bigint": 1, "boolean": True, "array<string>": ["duplicate_id"]}
    required = [field for field in NIGHT[table] if not field.nullable and field.name != "event_date"]
    return {field.name: plain[field.dataType.simpleString()] for field in required} | {"run_id": run_id} | values


def stage_rows(warehouse: Warehouse, table: str, run_id: str, rows: Mapping[date, Sequence[Row]]) -> None:
    """Write a run's rows of some dates into its data folder, a file a date."""
    arrow = to_arrow_schema(NIGHT[table], timezone="UTC")
    arrow = pa.schema([field.with_nullable(True) for field in arrow if field.name != "event_date"])
    for day, of_day in rows.items():
        folder = warehouse.data_folder(table, run_id) / f"event_date={day}"
        write_file(folder, pa.Table.from_pylist(list(of_day), schema=arrow))


def write_file(folder: Folder, rows: pa.Table, name: str = "part.parquet") -> None:
    """Write a Parquet file into a folder of any kind of storage."""
    folder.make()
    pq.write_table(rows, (folder / name).path, filesystem=folder.system)


def stage_night(warehouse: Warehouse, run_id: str, days: Sequence[date]) -> None:
    """Write a row a day and table."""
    for table in NIGHT:
        stage_rows(warehouse, table, run_id, {day: [row_of(table, run_id)] for day in days})


def stage_scores(warehouse: DeltaWarehouse, run_id: str, keys: Sequence[str]) -> None:
    """Write a run's scores, a file a text; the model is the partition, so that files do not name it."""
    scores = {"emotion": "joy", "confidence": 0.9, **dict.fromkeys(EMOTIONS, 0.1), "token_count": 3}
    scores |= {"is_truncated": False, "engine": "torch fp32 on cpu", "precision": "auto", "run_id": run_id}
    arrow = to_arrow_schema(text_scores_schema(), timezone="UTC")
    arrow = arrow.remove(arrow.get_field_index("model_fingerprint"))
    for number, key in enumerate(keys):
        rows = [scores | {"text_key": key, "event_date": date(2026, 10, 5)}]
        folder = warehouse.data_folder(TEXT_SCORES, run_id)
        write_file(folder, pa.Table.from_pylist(rows, schema=arrow), f"part-{number}.parquet")


def publish_night(
    warehouse: Warehouse,
    run_id: str,
    dates: Sequence[date],
    rows_on: Sequence[date] | None = None,
    since: int | None = None,
    but_for: Collection[str] = (),
) -> Release:
    """Publish a night with a row a day and table.

    Args:
        warehouse: The warehouse.
        run_id: The run.
        dates: Its dates.
        rows_on: Those of them that have rows, all by default.
        since: The version of the labels that it found when it began, the newest by default.
        but_for: Tables that it does not have, as nights of an earlier version of the job.
    """
    stage_night(warehouse, run_id, dates if rows_on is None else rows_on)
    tables = {name: schema for name, schema in NIGHT.items() if name not in but_for}
    return warehouse.publish(tables, Commit(run_id, dates), warehouse.version(LABELS) if since is None else since)


def shown_rows(warehouse: DeltaWarehouse, release: Release | None = None) -> Shown:
    """Return each row's date and run, of every table, as readers of a release see them; the newest by default."""
    release = release or warehouse.release()
    assert release is not None
    shown: Shown = {}
    for table, version in release.versions.items():
        rows = warehouse.at(table, version).to_pyarrow_table(columns=["event_date", "run_id"])
        shown[table] = sorted((row["event_date"], row["run_id"]) for row in rows.to_pylist())
    return shown


def same_in_all(rows: list[tuple[date, str]]) -> Shown:
    """Return what is shown where every table has these rows."""
    return dict.fromkeys(NIGHT, rows)
