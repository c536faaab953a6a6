"""Delta tables, written by Spark's executors as Parquet and committed by delta-rs on the driver.

A night is one commit a table, and a commit replaces the night's dates and nothing else. Of two runs over the same
dates the one that commits `emotion_labels` first publishes; the other finds that commit and stops
(`WindowHeldError`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from deltalake import CommitProperties, DeltaTable, Field, Schema
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction
from pyspark.sql.types import StructType

from emotion_udf.errors import GateError, UsageError, WindowHeldError
from emotion_udf.storage import Folder, ParquetFile, list_parquet

PARTITION: Final = "event_date"
_RUN_ID: Final = "emotion_udf.run_id"
_DATES: Final = "emotion_udf.dates"
# Each lost race means that another run published other dates meanwhile; so many in a row do not happen.
_ATTEMPTS: Final = 20


@dataclass(frozen=True)
class Commit:
    """What one run publishes of one table.

    Args:
        run_id: The run.
        dates: The days that the commit replaces, whether or not they have rows.
    """

    run_id: str
    dates: Sequence[date]

    @property
    def metadata(self) -> dict[str, str]:
        """What the commit says of itself in the table's history."""
        return {_RUN_ID: self.run_id, _DATES: json.dumps([day.isoformat() for day in self.dates])}


class DeltaWarehouse:
    """The tables below one root folder.

    Args:
        root: Holds a folder a table.
    """

    def __init__(self, root: Folder) -> None:
        self.root = root

    def folder(self, table: str) -> Folder:
        """Return the table's folder."""
        return self.root / table

    def data_folder(self, table: str, run_id: str) -> Folder:
        """Return where a run's files of a table go before they are committed."""
        return self.folder(table) / "data" / run_id

    def version(self, table: str) -> int:
        """Return the table's newest version, -1 when there is no such table yet."""
        found = self.open(table)
        return found.version() if found else -1

    def publish(self, tables: dict[str, StructType], commit: Commit, since: int) -> None:
        """Replace the commit's dates by the files in the run's data folders, in one Delta commit a table.

        Args:
            tables: The tables with their columns. The first decides who holds the dates. A table is made when there
                is none, and columns that it lacks are added.
            commit: The run and its dates.
            since: The version of the first table that the run found when it began.

        Raises:
            WindowHeldError: Another run has published one of the dates after `since`.
            UsageError: A table that is there has a column of another type.
            GateError: A file holds rows of a date that is not the commit's.
        """
        schemas = {table: Schema.from_json(schema.json()) for table, schema in tables.items()}
        actions = {table: self._add_actions(table, commit) for table in tables}
        for table, schema in schemas.items():
            self.check_types(table, schema)
        first = next(iter(tables))
        for table, schema in schemas.items():
            version = self._commit(table, schema, actions[table], commit, first, since)
            since = version if table == first else since

    def _commit(
        self,
        table: str,
        schema: Schema,
        actions: list[AddAction | RemoveAction],
        commit: Commit,
        first: str,
        since: int,
    ) -> int:
        """Commit one table and return the version that this made."""
        days = [day.isoformat() for day in commit.dates]
        for _ in range(_ATTEMPTS):
            try:
                # The order matters: a commit that slips in after the check has a newer version, and ours then fails.
                target = self.open_or_create(table, schema)
                self._require_unpublished(first, commit, since)
                missing = _missing_fields(target, schema)
                if missing:
                    target.alter.add_columns(missing)
                    continue  # a commit of its own, which readers do not notice: look again before ours
                target.create_write_transaction(
                    actions,
                    mode="overwrite",
                    schema=target.schema(),  # the whole table's: a column that this run lacks stays in older rows
                    partition_by=[PARTITION],
                    partition_filters=[(PARTITION, "in", days)],
                    commit_properties=CommitProperties(custom_metadata=commit.metadata, max_commit_retries=0),
                )
            except CommitFailedError:
                continue
            return target.version()
        raise WindowHeldError(
            f"expected to commit {table} within {_ATTEMPTS} attempts, found another writer's commit before each; "
            "run again when fewer jobs write to this warehouse"
        )

    def _require_unpublished(self, table: str, commit: Commit, since: int) -> None:
        """See that no other run has published one of the commit's dates after version `since`."""
        target = self.open(table)
        newer = target.history(target.version() - since) if target and target.version() > since else []
        for entry in newer:
            other = entry.get(_RUN_ID)
            held = {day.isoformat() for day in commit.dates}.intersection(json.loads(entry.get(_DATES, "[]")))
            if held and other != commit.run_id:
                raise WindowHeldError(
                    f"expected the dates of {table} to be as this run found them, found that run {other} "
                    f"published {', '.join(sorted(held))} meanwhile; its numbers stand, start again if this run's "
                    "should replace them"
                )

    def open(self, table: str) -> DeltaTable | None:
        """Return the table as it is now, None when there is no such table yet."""
        try:
            return DeltaTable(self.folder(table).delta_uri)
        except TableNotFoundError:
            return None

    def open_or_create(self, table: str, schema: Schema, partition: str = PARTITION) -> DeltaTable:
        """Return the table as it is now, made with these columns when there is none."""
        return DeltaTable.create(
            self.folder(table).delta_uri, schema, mode="ignore", name=table, partition_by=[partition]
        )

    def check_types(self, table: str, schema: Schema) -> None:
        """See that the table, if it is there, can take these columns.

        Raises:
            UsageError: A column is there with another type.
        """
        target = self.open(table)
        present = {field.name: field.type for field in target.schema().fields} if target else {}
        clashes = [f.name for f in schema.fields if f.name in present and present[f.name] != f.type]
        if clashes:
            raise UsageError(
                f"expected the table {table} to have this version's column types, found others for "
                f"{', '.join(clashes)}; publish to another warehouse.root, or migrate the table"
            )

    def _add_actions(self, table: str, commit: Commit) -> list[AddAction | RemoveAction]:
        """Describe the run's files of a table to Delta."""
        files = list_parquet(self.data_folder(table, commit.run_id))
        return [add_action(file, f"data/{commit.run_id}", {PARTITION: _partition_of(file, commit)}) for file in files]


def add_action(file: ParquetFile, folder: str, partition: dict[str, str | None]) -> AddAction:
    """Describe a file to Delta.

    Args:
        file: The file, its path relative to `folder`.
        folder: Where it lies, relative to the table.
        partition: The values of the table's partition columns, which the file itself does not hold.
    """
    return AddAction(
        path=f"{folder}/{file.path}",
        size=file.size,
        partition_values=partition,
        modification_time=file.modified_ms,
        data_change=True,
        stats=file.delta_stats,
    )


def _missing_fields(target: DeltaTable, schema: Schema) -> list[Field]:
    """Return the columns that the table lacks; older rows have no value in them."""
    present = {field.name for field in target.schema().fields}
    return [Field(field.name, field.type, nullable=True) for field in schema.fields if field.name not in present]


def _partition_of(file: ParquetFile, commit: Commit) -> str:
    """Read `event_date=2026-10-05` off a data file's path.

    Raises:
        GateError: The date is not one of the commit's, whose rows would join another run's.
    """
    folder = next(part for part in file.path.split("/") if part.startswith(f"{PARTITION}="))
    day = folder.partition("=")[2]
    if day not in {date.isoformat() for date in commit.dates}:
        raise GateError(
            f"expected rows of {min(commit.dates)} to {max(commit.dates)} only, found rows of {day}; "
            "check that Java and Python on the driver have the same time zone data"
        )
    return day
