"""Delta tables below one root folder: their places, their columns, and files described to them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from deltalake import DeltaTable, Field, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction

from emotion_udf.errors import UsageError
from emotion_udf.schemas import PARTITION
from emotion_udf.storage import Folder, ParquetFile, list_parquet

DATA: Final = "data"
"""The folder of a table that holds a folder a run, `data/<run_id>`."""

LOG_DAYS: Final = 365
"""Days for which a table's log is kept, and with it the versions that earlier releases name."""

PROPERTIES: Final = {
    "delta.logRetentionDuration": f"interval {LOG_DAYS} days",
    # Statistics of columns would put ids and texts into the log, where `forget` cannot erase them.
    "delta.dataSkippingNumIndexedCols": "0",
}
"""The properties of every table."""

COMMIT_ONLY: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
"""Checkpoints are made after the release (see `upkeep`): publishing does not wait for them, nor fail with them."""


class DeltaTables:
    """The tables below one root folder, a folder each.

    Args:
        root: The root folder.
    """

    def __init__(self, root: Folder) -> None:
        self.root = root

    def folder(self, table: str) -> Folder:
        """Return the table's folder."""
        return self.root / table

    def data_folder(self, table: str, run_id: str) -> Folder:
        """Return where a run's files of a table go before they are committed."""
        return self.folder(table) / DATA / run_id

    def address(self, table: str) -> str:
        """Return the table's path, or its URI on an object store."""
        return self.folder(table).delta_uri

    def at(self, table: str, version: int | None = None) -> DeltaTable:
        """Return a table that is there, as it is now or as it was at a version.

        Raises:
            DeltaError: There is no such table, or its log does not reach back to the version.
        """
        return DeltaTable(self.address(table), version=version, storage_options=dict(self.root.delta_options))

    def open(self, table: str) -> DeltaTable | None:
        """Return the table as it is now, None when there is no such table yet."""
        try:
            return self.at(table)
        except TableNotFoundError:
            return None

    def version(self, table: str) -> int:
        """Return the table's newest version, -1 when there is no such table yet."""
        found = self.open(table)
        return found.version() if found else -1

    def open_or_create(self, table: str, schema: Schema, partition: str | None = PARTITION) -> DeltaTable:
        """Return the table as it is now, made with these columns when there is none."""
        partitions = [partition] if partition else None
        try:
            return DeltaTable.create(
                self.address(table),
                schema,
                mode="ignore",
                name=table,
                partition_by=partitions,
                configuration=PROPERTIES,
                storage_options=dict(self.root.delta_options),
            )
        except CommitFailedError:  # another run has made it in the same moment
            return self.at(table)

    def run_files(self, table: str, run_id: str) -> list[ParquetFile]:
        """List what a run has written for a table, by paths relative to the table."""
        files = list_parquet(self.data_folder(table, run_id))
        return [replace(file, path=f"{DATA}/{run_id}/{file.path}") for file in files]

    def check_types(self, table: str, schema: Schema) -> None:
        """Check that the table, if it is there, can take these columns.

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


def missing_fields(target: DeltaTable, schema: Schema) -> list[Field]:
    """Return the columns that the table lacks; older rows have no value in them."""
    present = {field.name for field in target.schema().fields}
    return [Field(field.name, field.type, nullable=True) for field in schema.fields if field.name not in present]


def add_action(file: ParquetFile, partition: Mapping[str, str | None]) -> AddAction:
    """Describe a file to Delta.

    Args:
        file: The file, its path relative to the table.
        partition: The values of the table's partition columns, which the file itself does not hold.
    """
    return AddAction(
        path=file.path,
        size=file.size,
        partition_values=dict(partition),
        modification_time=file.modified_ms,
        data_change=True,
        stats=file.delta_stats,
    )
