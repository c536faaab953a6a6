"""Publishing a night: one Delta commit a table, which replaces the night's dates and nothing else.

Of two runs over the same dates the one that commits the first table first publishes; the other finds that commit and
stops (`WindowHeldError`).
"""

import json
from collections.abc import Mapping
from typing import Final

from deltalake import CommitProperties, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction
from pyspark.sql.types import StructType

from emotion_udf.errors import GateError, WindowHeldError
from emotion_udf.schemas import PARTITION
from emotion_udf.storage import ParquetFile, list_parquet
from emotion_udf.tables.delta import DeltaTables, add_action, missing_fields
from emotion_udf.tables.warehouse import DATES_KEY, RUN_ID_KEY, Commit

# Each lost race means that another run published other dates meanwhile; so many in a row do not happen.
_ATTEMPTS: Final = 20

_Actions = list[AddAction | RemoveAction]


def publish_tables(tables: DeltaTables, schemas: Mapping[str, StructType], commit: Commit, since: int) -> None:
    """Replace the commit's dates by the files in the run's data folders (see `Warehouse.publish`)."""
    delta_schemas = {table: Schema.from_json(schema.json()) for table, schema in schemas.items()}
    actions = {table: _add_actions(tables, table, commit) for table in schemas}
    for table, schema in delta_schemas.items():
        tables.check_types(table, schema)
    first = next(iter(schemas))
    for table, schema in delta_schemas.items():
        version = _commit(tables, table, schema, actions[table], commit, first, since)
        if table == first:
            since = version  # our own commit, which must not count as another run's


def _commit(
    tables: DeltaTables, table: str, schema: Schema, actions: _Actions, commit: Commit, first: str, since: int
) -> int:
    """Commit one table and return the version that this made."""
    for _ in range(_ATTEMPTS):
        try:
            # The order matters: a commit that slips in after the check has a newer version, and ours then fails.
            target = tables.open_or_create(table, schema)
            _require_unpublished(tables, first, commit, since)
            missing = missing_fields(target, schema)
            if missing:
                target.alter.add_columns(missing)
                continue  # a commit of its own, which readers do not notice: look again before ours
            target.create_write_transaction(
                actions,
                mode="overwrite",
                schema=target.schema(),  # the whole table's: a column that this run lacks stays in older rows
                partition_by=[PARTITION],
                partition_filters=[(PARTITION, "in", commit.days)],
                commit_properties=CommitProperties(custom_metadata=commit.metadata, max_commit_retries=0),
            )
        except CommitFailedError:
            continue
        return target.version()
    raise WindowHeldError(
        f"expected to commit {table} within {_ATTEMPTS} attempts, found another writer's commit before each; "
        "run again when fewer jobs write to this warehouse"
    )


def _require_unpublished(tables: DeltaTables, table: str, commit: Commit, since: int) -> None:
    """Check that no other run has published one of the commit's dates after version `since`."""
    target = tables.open(table)
    newer = target.history(target.version() - since) if target and target.version() > since else []
    for entry in newer:
        other = entry.get(RUN_ID_KEY)
        held = set(commit.days).intersection(json.loads(entry.get(DATES_KEY, "[]")))
        if held and other != commit.run_id:
            raise WindowHeldError(
                f"expected the dates of {table} to be as this run found them, found that run {other} "
                f"published {', '.join(sorted(held))} meanwhile; its numbers stand, start again if this run's "
                "should replace them"
            )


def _add_actions(tables: DeltaTables, table: str, commit: Commit) -> _Actions:
    """Describe the run's files of a table to Delta."""
    files = list_parquet(tables.data_folder(table, commit.run_id))
    return [add_action(file, commit.run_id, {PARTITION: _partition_of(file, commit)}) for file in files]


def _partition_of(file: ParquetFile, commit: Commit) -> str:
    """Read `event_date=2026-10-05` off a data file's path.

    Raises:
        GateError: The date is not one of the commit's, whose rows would join another run's.
    """
    folder = next(part for part in file.path.split("/") if part.startswith(f"{PARTITION}="))
    day = folder.partition("=")[2]
    if day not in commit.days:
        raise GateError(
            f"expected rows of {min(commit.dates)} to {max(commit.dates)} only, found rows of {day}; "
            "check that Java and Python on the driver have the same time zone data"
        )
    return day
