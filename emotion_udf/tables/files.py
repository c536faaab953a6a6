"""The files of a table: those that a version lists, and those that lie in its folder."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pafs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from emotion_udf.schemas import PARTITION
from emotion_udf.storage import Folder, ParquetFile, in_threads, is_local, leads_elsewhere
from emotion_udf.tables.delta import DeltaTables

_LOG: Final = "_delta_log/"
# What a writer that was killed has left of a commit, and what a power cut has left of one.
_NO_LOG: Final = re.compile(r"#\d+$|\.tmp$|\.damaged$")


@dataclass(frozen=True)
class ListedFile:
    """A file that a version of a table lists.

    Attributes:
        file: The file, its path relative to the table.
        partition: The values of the table's partition columns.
    """

    file: ParquetFile
    partition: Mapping[str, str | None]

    @property
    def day(self) -> str:
        """The date of its rows, `YYYY-MM-DD`, in a table of nights."""
        return self.partition[PARTITION] or ""


def list_files(table: DeltaTable) -> list[ListedFile]:
    """Return the files of the version at which the table is open."""
    rows = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return [ListedFile(_parquet_file(row), _partition(row)) for row in rows]


def files_by_path(table: DeltaTable) -> dict[str, ListedFile]:
    """Return the files of the version at which the table is open, by where they lie below the table.

    A log has a path in percent-encoding, but for some writers that leave it as it is: each file is here by both.
    """
    files = list_files(table)
    return {path: listed for listed in files for path in (listed.file.path, unquote(listed.file.path))}


def open_version(tables: DeltaTables, table: str, version: int | None) -> DeltaTable | None:
    """Return the table at a version; None without a version, or where the log no longer reaches back to it.

    A version below zero, as `DeltaTables.version` gives it, is that of a table that does not exist.
    """
    if version is None or version < 0:
        return None
    try:
        return tables.at(table, version)
    except DeltaError:
        return None


def files_at(tables: DeltaTables, table: str, version: int | None) -> list[ListedFile]:
    """Return the files of a version, none where there is no such version."""
    opened = open_version(tables, table, version)
    return list_files(opened) if opened else []


def restored_files(
    tables: DeltaTables, table: str, versions: Mapping[str, int], days: Iterable[str]
) -> list[ParquetFile]:
    """Return the files that a version of a table has of some dates, as far as they still exist."""
    wanted = set(days)
    files = [listed.file for listed in files_at(tables, table, versions.get(table)) if listed.day in wanted]
    gone = set(missing_paths(tables.folder(table), [file.path for file in files]))
    return [file for file in files if file.path not in gone]


def missing_paths(folder: Folder, paths: Sequence[str]) -> list[str]:
    """Return those of some files below a folder that are no longer there."""
    infos = in_threads(lambda path: folder.system.get_file_info(f"{folder.path}/{path}"), paths)
    return [path for path, info in zip(paths, infos, strict=True) if info.type == pafs.FileType.NotFound]


def stored_files(folder: Folder) -> dict[str, pafs.FileInfo]:
    """Return every file that lies in a table's folder, listed or not, by its path relative to the table.

    The log's own files are left out, and so are the checksums that Hadoop writes beside each file.

    Raises:
        UsageError: There is a link: what is behind it is no file of the table's, and must not go like one.
    """
    _refuse_links(folder)
    selector = pafs.FileSelector(folder.path, recursive=True, allow_not_found=True)
    infos = {info.path.removeprefix(folder.path).lstrip("/"): info for info in folder.system.get_file_info(selector)}
    return {
        path: info
        for path, info in sorted(infos.items())
        if info.type == pafs.FileType.File and not _is_of_log(path) and not path.endswith(".crc")
    }


def _is_of_log(path: str) -> bool:
    return path.startswith(_LOG) and not _NO_LOG.search(path)


def delete_file(folder: Folder, path: str) -> None:
    """Delete a file below a folder, and Hadoop's checksum beside it on a disk; no matter if it is gone already.

    Raises:
        UsageError: A link leads elsewhere.
    """
    (folder / path).require_own()
    parent, _, name = path.rpartition("/")
    checksum = [f"{parent}/.{name}.crc".lstrip("/")] if is_local(folder) else []
    for victim in (path, *checksum):
        with suppress(FileNotFoundError):
            folder.system.delete_file(f"{folder.path}/{victim}")


def _refuse_links(folder: Folder) -> None:
    """Stop at a link in a folder of a local disk, which a listing would follow."""
    folder.require_own()
    if is_local(folder):
        for place, folders, files in os.walk(folder.path):
            for name in (*folders, *files):
                if os.path.islink(f"{place}/{name}"):
                    raise leads_elsewhere(f"{place}/{name}")


def _parquet_file(row: Mapping[str, Any]) -> ParquetFile:
    return ParquetFile(row["path"], row["size_bytes"], row["num_records"] or 0, row["modification_time"])


def _partition(row: Mapping[str, Any]) -> dict[str, str | None]:
    prefix = "partition."
    values = {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
    return {name: None if value is None else str(value) for name, value in values.items()}
