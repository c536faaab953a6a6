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
from urllib.parse import unquote

from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction
from pyspark.sql.types import StructType

from emotion_udf.errors import UsageError, WindowHeldError
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
        found = self._open(table)
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
        """
        first = next(iter(tables))
        for table, schema in tables.items():
            version = self._commit(table, Schema.from_json(schema.json()), commit, first, since)
            since = version if table == first else since

    def _commit(self, table: str, schema: Schema, commit: Commit, first: str, since: int) -> int:
        """Commit one table and return the version that this made."""
        files = list_parquet(self.data_folder(table, commit.run_id))
        actions: list[AddAction | RemoveAction] = [self._add_action(table, commit.run_id, file) for file in files]
        days = [day.isoformat() for day in commit.dates]
        for _ in range(_ATTEMPTS):
            # The order matters: a commit that slips in after the check has a newer version, and ours then fails.
            target = self._prepare(table, schema)
            self._require_unpublished(first, commit, since)
            try:
                target.create_write_transaction(
                    actions,
                    mode="overwrite",
                    schema=schema,
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
        target = self._open(table)
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

    def _open(self, table: str) -> DeltaTable | None:
        try:
            return DeltaTable(self.folder(table).delta_uri)
        except TableNotFoundError:
            return None

    def _prepare(self, table: str, schema: Schema) -> DeltaTable:
        """Open the table, made or widened where needed; neither changes what readers see."""
        target = DeltaTable.create(
            self.folder(table).delta_uri, schema, mode="ignore", name=table, partition_by=[PARTITION]
        )
        present = {field.name: field.type for field in target.schema().fields}
        clashes = [f.name for f in schema.fields if f.name in present and present[f.name] != f.type]
        if clashes:
            raise UsageError(
                f"expected the table {table} to have this version's column types, found others for "
                f"{', '.join(clashes)}; publish to another warehouse.root, or migrate the table"
            )
        missing = [field for field in schema.fields if field.name not in present]
        if missing:
            target.alter.add_columns(missing)
        return target

    def _add_action(self, table: str, run_id: str, file: ParquetFile) -> AddAction:
        path = f"{self.data_folder(table, run_id).path.removeprefix(self.folder(table).path).strip('/')}/{file.path}"
        return AddAction(
            path=path,
            size=file.size,
            partition_values=_partition_values(file.path),
            modification_time=file.modified_ms,
            data_change=True,
            stats=file.delta_stats,
        )


def _partition_values(path: str) -> dict[str, str | None]:
    """Read `event_date=2026-10-05` off a data file's path."""
    folder = next(part for part in path.split("/") if part.startswith(f"{PARTITION}="))
    return {PARTITION: unquote(folder.partition("=")[2])}
