"""The `runs` table: one appended row a run, written by delta-rs alone, so that it works when Spark has failed."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import Schema, write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.schemas import RUNS, runs_schema
from emotion_udf.tables.delta import COMMIT_ONLY, DeltaTables
from emotion_udf.tables.durability import sync_files
from emotion_udf.tables.files import list_files


def append_run(tables: DeltaTables, row: Mapping[str, Any]) -> None:
    """Append a run's row to `runs`, which has no partitions: upkeep joins its files, and nights read them all."""
    schema = to_arrow_schema(runs_schema(), timezone="UTC")
    target = tables.open_or_create(RUNS, Schema.from_json(runs_schema().json()), partition=None)
    before = {listed.file.path for listed in list_files(target)}
    write_deltalake(
        target,
        pa.Table.from_pylist([dict(row)], schema=schema),
        mode="append",
        schema_mode="merge",
        post_commithook_properties=COMMIT_ONLY,
    )
    # What the run has staged goes next, and with it the only other record of it.
    sync_files(tables.folder(RUNS), [path for listed in list_files(target) if (path := listed.file.path) not in before])


def list_runs(tables: DeltaTables, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return the rows of `runs`, oldest first; with `columns`, these and `started_at` only."""
    table = tables.open(RUNS)
    wanted = None if columns is None else list({*columns, "started_at"})
    found = table.to_pyarrow_table(columns=wanted) if table else pa.table({})
    rows: list[dict[str, Any]] = found.to_pylist(maps_as_pydicts="strict")
    return sorted(rows, key=lambda row: row["started_at"])
