"""Nights in a warehouse, and what a PostgreSQL shows of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from deltalake import DeltaTable
from psycopg import sql
from psycopg.rows import dict_row

from emotion_udf.emotions import EMOTIONS
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.record import RunRecorder
from emotion_udf.schemas import DAILY, RELEASES, RUNS
from emotion_udf.settings.nightly import InputSettings, NightSettings, WarehouseSettings
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.readers import open_for_readers
from emotion_udf.tables.warehouse import Release, Warehouse
from emotion_udf.window import Window
from tests.helpers.labelled import DIMENSIONS, label_of, publish_labels

Row = dict[str, Any]
_STARTED = datetime(2026, 10, 20, 2, tzinfo=UTC)


def run_night(
    warehouse: DeltaWarehouse,
    run_id: str,
    days: Sequence[date],
    messages: int = 3,
    dimensions: Sequence[str] = DIMENSIONS,
    empty: Sequence[date] = (),
    **values: Any,
) -> Release:
    """Publish some days, each with so many messages a product, and record the run."""
    labels = [
        label_of(day, f"m{number}", EMOTIONS[number % 6], f"text {number}", product=product, **values)
        for day in days
        for product in ("Kettle One", None)
        for number in range(messages)
    ]
    release = publish_labels(warehouse, labels, run_id, dimensions, empty)
    record_run(warehouse, run_id, [*days, *empty])
    return release


def record_run(warehouse: Warehouse, run_id: str, days: Sequence[date], error: Exception | None = None) -> None:
    """Add a run to `runs`."""
    recorder = RunRecorder(RunContext(settings_of_nights(), Window(min(days), max(days)), _STARTED, run_id))
    recorder.note(seconds={"read": 0.5}, input_files=["file:///lake/ä b.parquet"])
    warehouse.append_run((recorder.mark_failed(error) if error else recorder.mark_published()).row())


def settings_of_nights() -> NightSettings:
    """Return the settings that the runs were made with."""
    return NightSettings(input=InputSettings(path="/lake"), warehouse=WarehouseSettings(root="/warehouse"))


def released_daily(root: str) -> list[Row]:
    """Return `emotion_daily` as the newest release has it, sorted."""
    view = open_for_readers(open_folder(root))
    return sorted_rows(view.tables[DAILY].to_pyarrow_table().to_pylist())


def recorded_runs(root: str) -> list[Row]:
    """Return `runs`, sorted."""
    table = DeltaTable(DeltaWarehouse(open_folder(root)).address(RUNS))
    return sorted(table.to_pyarrow_table().to_pylist(maps_as_pydicts="strict"), key=lambda row: str(row["run_id"]))


def daily_there(database: PostgresSettings) -> list[Row]:
    """Return `emotion_daily` as PostgreSQL has it, sorted."""
    return sorted_rows(rows_there(database, DAILY))


def runs_there(database: PostgresSettings) -> list[Row]:
    """Return `runs` as PostgreSQL has it, sorted."""
    return sorted(rows_there(database, RUNS), key=lambda row: str(row["run_id"]))


def release_in(database: PostgresSettings) -> int:
    """Return the number of the release that PostgreSQL holds."""
    ((number,),) = [(row["release"],) for row in rows_there(database, RELEASES)]
    return int(number)


def rows_there(database: PostgresSettings, table: str) -> list[Row]:
    """Return the rows of a table."""
    with psycopg.connect(database.connection, row_factory=dict_row) as reader:
        query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(database.schema_name, table))
        return reader.execute(query).fetchall()


def sorted_rows(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Sort rows of `emotion_daily` by their key, whatever dimensions they have."""
    return sorted(
        map(dict, rows), key=lambda row: str([row["event_date"], row["emotion"], sorted(row.items(), key=str)])
    )


def require_same(root: str, database: PostgresSettings) -> None:
    """See that PostgreSQL shows the newest release, and all runs."""
    (row,) = rows_there(database, "releases")
    release = DeltaTable(f"{root}/releases").to_pyarrow_table().to_pylist(maps_as_pydicts="strict")[0]
    assert {name: row[name] for name in release} == release
    assert daily_there(database) == released_daily(root)
    assert runs_there(database) == recorded_runs(root)


def ask(database: PostgresSettings, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement on the tables, as their owner would by hand."""
    with psycopg.connect(database.connection, options=f"-c search_path={database.schema_name}") as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []
