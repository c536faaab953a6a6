"""Upkeep after a night: checkpoints, the end of old logs, and small files joined, each when it is due.

Without it each night would read the log of all nights before. It comes after the release and is never worth a
failure: what cannot be done tonight is done tomorrow.
"""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Final

from deltalake import DeltaTable

from emotion_udf.storage import Folder
from emotion_udf.tables.compaction import compact, set_properties, small_files
from emotion_udf.tables.delta import DeltaTables
from emotion_udf.tables.durability import sync_checkpoint
from emotion_udf.tables.publish import settle

log = logging.getLogger(__name__)

_CHECKPOINT_EVERY: Final = 10
_MANY_FILES: Final = 64


def keep_up(tables: DeltaTables, names: Sequence[str], others: Sequence[str]) -> None:
    """Do what is due for each table; a failure is a warning.

    Args:
        tables: The warehouse.
        names: The tables of a night, the deciding one first.
        others: Tables of no release.
    """
    changed = [_attempt(_join, tables, name) for name in names]
    if any(changed):
        _attempt(lambda warehouse, _: settle(warehouse, names) is not None, tables, names[0])
    for name in others:
        _attempt(_join, tables, name)
    for name in (*names, *others):
        _attempt(_checkpoint, tables, name)


def commits_since_checkpoint(folder: Folder, table: DeltaTable) -> int:
    """Return how many commits a reader of the table has to read one by one.

    Args:
        folder: The table's folder.
        table: The table at its newest version.
    """
    try:
        with folder.system.open_input_stream(f"{folder.path}/_delta_log/_last_checkpoint") as stream:
            checkpoint = int(json.loads(stream.read())["version"])
    except (FileNotFoundError, ValueError, KeyError):
        checkpoint = -1
    return table.version() - checkpoint


def checkpoint(tables: DeltaTables, table: str) -> None:
    """Sum up a table's log in one file, and end what is older than the log is kept for."""
    (tables.folder(table) / "_delta_log").require_own()
    target = tables.at(table)
    target.create_checkpoint()
    sync_checkpoint(tables.folder(table))
    target.cleanup_metadata()


def _join(tables: DeltaTables, name: str) -> bool:
    """Join a table's files where there are many in one partition; tell if there was a commit."""
    target = tables.open(name)
    if target is None:
        return False
    changed = set_properties(target)
    if small_files(tables, name).most <= _MANY_FILES:
        return changed
    compact(tables, name)
    return True


def _checkpoint(tables: DeltaTables, name: str) -> bool:
    target = tables.open(name)
    if target is None or commits_since_checkpoint(tables.folder(name), target) < _CHECKPOINT_EVERY:
        return False
    checkpoint(tables, name)
    return True


def _attempt(work: Callable[[DeltaTables, str], bool], tables: DeltaTables, name: str) -> bool:
    """Do some work on a table and return what it tells, or warn and return False."""
    try:
        return work(tables, name)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of delta-rs is no Exception
        log.warning("table=%s its upkeep failed (%s), the next night tries again", name, type(error).__name__)
        return False
