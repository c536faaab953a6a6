"""Folders that belong to a table format: they also hold rows that were deleted or replaced."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

import pyarrow.fs as pafs

from emotion_udf.errors import InputError
from emotion_udf.ingest.delta_input import live_paths
from emotion_udf.ingest.failures import READ_ERRORS, retried
from emotion_udf.storage import Folder

_TABLES: Final = {
    "_delta_log": "a Delta table",
    "_spark_metadata": "the output of a Spark stream",
    ".hoodie": "a Hudi table",
}
"""Names that only a table format has."""

_ICEBERG: Final = "an Iceberg table"
_ICEBERG_FILE: Final = re.compile(r"(^|/)metadata/[^/]+\.metadata\.json(\.gz)?$")


def live_files(root: Folder, found: Mapping[str, Collection[str]], left_out: Sequence[str] = ()) -> set[str] | None:
    """Return the relative paths of a Delta table's files; None where the folder is no table.

    Args:
        root: The folder.
        found: All that is below it by relative path, with the Hive keys of each.
        left_out: Paths of folders in it that were not looked into.

    Raises:
        InputError: It is, or holds, a table that cannot be read by its files.
    """
    for relative in found:
        parts = relative.split("/")
        for marker, table in _TABLES.items():
            if marker in parts and not (marker == "_delta_log" and parts[0] == marker):
                raise _is_table(root, table, "/".join(parts[: parts.index(marker)]) or "itself")
        if _ICEBERG_FILE.search(relative):
            raise _is_table(root, _ICEBERG, "/".join(parts[:-2]) or "itself")
    if "_delta_log" not in found:
        return None
    listed = live_paths(root)
    live = {path for path in found if path in listed.paths or path in listed.decoded_paths}
    seen = [path for path in listed.paths if not _is_below_any(path, frozenset(left_out))] if left_out else listed.paths
    if len(live) != len(seen) or any(set(listed.partitions) - set(found[path]) for path in live):
        raise _is_table(root, "a Delta table whose files are not where their folders' names tell it", "itself")
    return live


def _is_below_any(path: str, folders: Collection[str]) -> bool:
    """Tell whether a path of a table's log lies below one of some folders."""
    return any(str(parent) in folders or unquote(str(parent)) in folders for parent in PurePosixPath(path).parents)


def refuse_part_of_table(root: Folder) -> None:
    """Refuse a file or a folder inside a table: only the whole table knows which of its rows are deleted.

    Raises:
        InputError: A folder above is a table.
        StorageError: The storage does not answer.
    """
    above = [str(place) for place in PurePosixPath(root.path).parents if str(place) not in (".", "/")]
    for place in above:
        for marker, table in _TABLES.items():
            if _exists(root.system, f"{place}/{marker}"):
                raise _is_table(root, f"a part of {table}", place)
        if any(_ICEBERG_FILE.search(path) for path in _list(root.system, f"{place}/metadata")):
            raise _is_table(root, f"a part of {_ICEBERG}", place)


def _exists(system: pafs.FileSystem, path: str) -> bool:
    try:
        return bool(retried(lambda: system.get_file_info(path)).type != pafs.FileType.NotFound)
    except READ_ERRORS:  # a user who may read the input need not see all that is above it
        return False


def _list(system: pafs.FileSystem, path: str) -> list[str]:
    try:
        return [info.path for info in retried(lambda: system.get_file_info(pafs.FileSelector(path)))]
    except READ_ERRORS:  # mostly there is no such folder
        return []


def _is_table(root: Folder, table: str, place: str) -> InputError:
    return InputError(
        f"expected plain Parquet files in {root.uri}, found {table} ({place}), whose folder also holds rows that were "
        "deleted or replaced; name it in Spark's catalog and set input.table in place of input.path"
    )
