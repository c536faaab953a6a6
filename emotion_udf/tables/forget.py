"""Erasing messages: no file of any version holds them afterwards.

The files that hold a message are found by reading the id column of every file that lies in a table's folder, listed or
not. Those that the newest version lists are written anew without the message and committed; when the release has moved
to that version, all the old ones are deleted. A forgetting that was killed is finished by the same command again.
"""

import re
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from emotion_udf.errors import InputError, WindowHeldError
from emotion_udf.storage import Folder, ParquetFile, in_threads
from emotion_udf.tables.delta import COMMIT_ONLY, DATA, DeltaTables, add_action
from emotion_udf.tables.durability import sync_folder
from emotion_udf.tables.files import ListedFile, delete_file, files_by_path
from emotion_udf.tables.find_rows import Holding, find_rows, matches
from emotion_udf.tables.publish import settle

_FORGOTTEN_BY: Final = "emotion_udf.forgotten_by"
_ATTEMPTS: Final = 40


def forget(tables: DeltaTables, names: Sequence[str], holdings: Sequence[Holding], run_id: str) -> dict[str, int]:
    """Erase rows from all versions of their tables.

    Args:
        tables: The warehouse.
        names: The tables of a night, the deciding one first.
        holdings: The files with rows to erase, of each table.
        run_id: The name below which files that are written anew go.

    Returns:
        The files that were deleted of each table.

    Raises:
        WindowHeldError: Other writers came first each time.
        InputError: The newest version of a table lists a file that cannot be read.
    """
    rewritten = [rewrite(tables, holding, run_id) for holding in holdings]
    settle(tables, names)  # readers of the release are away from the old files before these go
    # The messages go last: a forgetting that is killed needs them to find the scores of their texts again.
    return {holding.table: _delete(tables, holding) for holding in reversed(rewritten)}


def rewrite(tables: DeltaTables, holding: Holding, run_id: str) -> Holding:
    """Commit the files of a table's newest version without the rows to erase.

    Args:
        tables: The warehouse.
        holding: The files with such rows.
        run_id: The name below which the new files go.

    Returns:
        The files with such rows, those included that came between the search and the commit.

    Raises:
        WindowHeldError: Other writers came first each time.
        InputError: The newest version lists a file that cannot be read.
    """
    folder = tables.folder(holding.table)
    for _ in range(_ATTEMPTS):
        target = tables.at(holding.table)
        listed = files_by_path(target)
        _require_readable(holding, listed)
        stale = {path: listed[path] for path in holding.rows if path in listed}
        if not stale:
            return holding
        fresh = in_threads(partial(_write_without, folder, holding, run_id), stale.items())
        sync_folder(folder / DATA / run_id)
        try:
            _commit(target, stale, fresh, run_id)
        except CommitFailedError:  # what came first may have copied a row
            (folder / DATA / run_id).remove()
            holding = find_rows(tables, holding.table, holding.column, holding.values)
            continue
        sync_folder(folder / "_delta_log")
        return holding
    raise WindowHeldError(
        f"expected to commit {holding.table} within {_ATTEMPTS} attempts, found another writer's commit before each; "
        "run again when fewer jobs write to this warehouse"
    )


def _delete(tables: DeltaTables, holding: Holding) -> int:
    """Delete the files with rows to erase, none of which the newest version lists any more; return how many."""
    folder = tables.folder(holding.table)
    listed = files_by_path(tables.at(holding.table))
    gone = [path for path in holding.paths if path not in listed]
    for path in gone:
        delete_file(folder, path)
    return len(gone)


def _write_without(folder: Folder, holding: Holding, run_id: str, found: tuple[str, ListedFile]) -> ListedFile | None:
    """Write a file, which lies at a path, anew without the rows to erase; None where no row is left."""
    path, listed = found
    place = "/".join([DATA, run_id, *_folders(listed.partition)])
    fresh = f"{place}/part-{secrets.token_hex(8)}.parquet"
    footer = pq.read_metadata(f"{folder.path}/{path}", filesystem=folder.system)
    kept = footer.num_rows - holding.rows[path]
    if not kept:
        return None
    schema = footer.schema.to_arrow_schema()
    (folder / place).make()
    with pq.ParquetWriter(f"{folder.path}/{fresh}", schema, filesystem=folder.system) as writer:
        for batch, mask in matches(folder, path, schema.names, holding.column, holding.values):
            writer.write_batch(batch.filter(pc.invert(mask)))
    info = folder.system.get_file_info(f"{folder.path}/{fresh}")
    return ListedFile(ParquetFile(fresh, info.size, kept, int(info.mtime.timestamp() * 1000)), listed.partition)


def _folders(partition: Mapping[str, str | None]) -> list[str]:
    """Return Hive-style folders for a file; none where a value would have to be escaped, as the log tells it anyway."""
    plain = all(re.fullmatch(r"[\w-]+", f"{name}{value}", re.ASCII) for name, value in partition.items())
    return [f"{name}={value}" for name, value in partition.items()] if plain else []


def _commit(
    target: DeltaTable,
    stale: Mapping[str, ListedFile],
    fresh: Sequence[ListedFile | None],
    run_id: str,
) -> None:
    """Replace files of a table, by where they lie, by others; delta-rs encodes the paths."""
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [
        RemoveAction(path, True, now, entry.file.size, dict(entry.partition)) for path, entry in stale.items()
    ]
    actions += [add_action(entry.file, entry.partition) for entry in filter(None, fresh)]
    target.create_write_transaction(
        actions,
        mode="append",
        schema=target.schema(),
        partition_by=target.metadata().partition_columns,
        commit_properties=CommitProperties(custom_metadata={_FORGOTTEN_BY: run_id}, max_commit_retries=0),
        post_commithook_properties=COMMIT_ONLY,
    )


def _require_readable(holding: Holding, listed: Collection[str]) -> None:
    """Stop where a file that readers see may hold a row, but cannot be read."""
    damaged = [path for path in holding.unreadable if path in listed]
    if damaged:
        raise InputError(
            f"expected Parquet in the files of {holding.table}, found {len(damaged)} damaged, first {damaged[0]}; "
            "label its date again, then forget"
        )
