"""Power cuts: what is released is on the disk first, and a log that was cut short is set aside.

delta-rs renames a commit's file into place without an fsync. After a power cut the newest file of a `_delta_log` may
be empty, cut or full of zeros: readers skip an empty one in silence, and the next commit to the others fails. Object
stores have no such state.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from emotion_udf.schemas import RELEASES
from emotion_udf.storage import Folder, is_local
from emotion_udf.tables.delta import DATA, DeltaTables
from emotion_udf.tables.ownership import Claim

log = logging.getLogger(__name__)

_LOG: Final = "_delta_log"
_WITH_CREATION: Final = 2
"""The newest commits of a table after one was made: that one, and what may have created the table just before."""


def sync_tables(opened: Mapping[str, DeltaTable], claims: Sequence[Claim]) -> None:
    """Force the newest commits of some tables, and the files of the runs behind them, onto the disk."""
    runs = {claim.run_id for claim in claims}
    for target in opened.values():
        folder = Path(target.table_uri.removeprefix("file://"))
        if folder.is_dir():
            for run_id in runs:
                _sync_tree(folder / DATA / run_id)
            _sync_newest(folder / _LOG, len(claims) + 2)


def sync_pointer(tables: DeltaTables) -> None:
    """Force the newest commit of `releases`, and the file of its row, onto the disk."""
    folder = tables.folder(RELEASES)
    if is_local(folder):
        place = Path(folder.path)
        # This one file of all releases': the newest.
        _sync(max(os.scandir(place), key=lambda entry: entry.is_file() and entry.stat().st_mtime_ns))
        _sync(place)
        _sync_newest(place / _LOG, _WITH_CREATION)


def sync_folder(folder: Folder) -> None:
    """Force all that lies in a folder onto the disk."""
    if is_local(folder):
        _sync_tree(Path(folder.path))


def sync_file(file: Folder) -> None:
    """Force one file onto the disk, and its folder's list of files."""
    if is_local(file):
        _sync(file.path)
        _sync(Path(file.path).parent)


def sync_files(folder: Folder, paths: Sequence[str]) -> None:
    """Force some files below a table's folder onto the disk, and the table's newest commit."""
    if is_local(folder):
        for path in paths:
            _sync(Path(folder.path) / path)
            _sync((Path(folder.path) / path).parent)
        _sync_newest(Path(folder.path) / _LOG, _WITH_CREATION)


def sync_checkpoint(folder: Folder) -> None:
    """Force a table's newest checkpoint onto the disk."""
    if is_local(folder):
        place = Path(folder.path) / _LOG
        _sync(place / _newest(place, ".checkpoint.parquet")[0])
        _sync(place / "_last_checkpoint")
        _sync(place)


def set_damaged_logs_aside(tables: DeltaTables, names: Sequence[str]) -> list[str]:
    """Rename the newest log files of some tables as long as they are damaged, so that the tables can be read again.

    Such a commit was never released: its night is done again.

    Returns:
        The tables that had such a file.
    """
    found = []
    for name in names:
        folder = tables.folder(name)
        if not is_local(folder):
            continue
        place = Path(folder.path) / _LOG
        for file in (*_damaged_logs(place), *_damaged_checkpoints(place)):
            file.rename(file.with_suffix(".damaged"))
            found.append(name)
    for name in dict.fromkeys(found):
        log.warning("table=%s its newest log file was cut short, by a power cut say; it is set aside", name)
    return list(dict.fromkeys(found))


def _damaged_logs(folder: Path) -> Iterator[Path]:
    """Yield the newest log files, from the last one on, until one is whole."""
    for name in _newest(folder, ".json"):
        if _is_whole(folder / name):
            return
        yield folder / name


def _damaged_checkpoints(folder: Path) -> Iterator[Path]:
    """Yield the newest checkpoint, and the file that points to it, where they are damaged; the log can do without."""
    damaged = [folder / name for name in _newest(folder, ".checkpoint.parquet")[:1] if not _has_footer(folder / name)]
    yield from damaged
    hint = folder / "_last_checkpoint"
    if hint.exists() and (damaged or not _is_whole(hint)):
        yield hint


def _has_footer(file: Path) -> bool:
    try:
        return bool(pq.read_metadata(file).num_rows)
    except (pa.ArrowInvalid, OSError):
        return False


def _is_whole(file: Path) -> bool:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except ValueError:
        return False


def _sync_newest(folder: Path, count: int) -> None:
    for name in _newest(folder, ".json")[:count]:
        _sync(folder / name)
    _sync(folder)


def _newest(folder: Path, suffix: str) -> list[str]:
    """Return the names of the files of a log with a suffix, the newest first; there can be thousands."""
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted((name for name in names if name.endswith(suffix)), reverse=True)


def _sync_tree(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        for name in files:
            _sync(Path(place) / name)
        _sync(Path(place))


def _sync(path: str | os.PathLike[str]) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
