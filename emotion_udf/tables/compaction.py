"""Joining small files of a table; what its rows are stays as it is, so do the files of earlier versions."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from deltalake import DeltaTable

from emotion_udf.tables.delta import COMMIT_ONLY, PROPERTIES, DeltaTables
from emotion_udf.tables.durability import sync_files
from emotion_udf.tables.files import list_files

# A quarter of what delta-rs makes of them: files that it has just written are not small.
_SMALL_BYTES: Final = 25 * 2**20


@dataclass(frozen=True)
class SmallFiles:
    """The small files of a table that share a partition with others.

    Attributes:
        table: The table.
        files: How many there are.
        bytes: Their bytes.
        most: The most in one partition.
    """

    table: str
    files: int
    bytes: int
    most: int


def small_files(tables: DeltaTables, table: str) -> SmallFiles:
    """Count the small files of a table's newest version that could be joined with others."""
    target = tables.open(table)
    small = [entry for entry in list_files(target) if entry.file.size < _SMALL_BYTES] if target else []
    by_partition = Counter(tuple(entry.partition.items()) for entry in small)
    joined = [entry.file.size for entry in small if by_partition[tuple(entry.partition.items())] > 1]
    return SmallFiles(table, len(joined), sum(joined), max(by_partition.values(), default=0))


def set_properties(target: DeltaTable) -> bool:
    """Give a table of an earlier version the properties that it lacks; tell if there were any."""
    missing = {name: value for name, value in PROPERTIES.items() if name not in target.metadata().configuration}
    if missing:
        target.alter.set_table_properties(missing)
    return bool(missing)


def compact(tables: DeltaTables, table: str) -> tuple[int, int]:
    """Join the small files of a table's partitions.

    Returns:
        The files that were joined, and those that they became.

    Raises:
        CommitFailedError: Another writer changed the same partitions meanwhile.
    """
    target = tables.at(table)
    set_properties(target)  # first, or the log would take statistics of ids and texts
    before = {entry.file.path for entry in list_files(target)}
    metrics = target.optimize.compact(post_commithook_properties=COMMIT_ONLY)
    fresh = {entry.file.path for entry in list_files(target)} - before
    sync_files(tables.folder(table), sorted(fresh))
    return metrics["numFilesRemoved"], metrics["numFilesAdded"]
