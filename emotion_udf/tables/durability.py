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

import pyarrow.fs as pafs
from deltalake import DeltaTable

from emotion_udf.schemas import RELEASES
from emotion_udf.storage import Folder
from emotion_udf.tables.delta import DATA, DeltaTables
from emotion_udf.tables.ownership import Claim

log = logging.getLogger(__name__)

_LOG: Final = "_delta_log"


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
    """Force the newest commit of `releases` onto the disk."""
    folder = tables.folder(RELEASES)
    if _is_local(folder):
        _sync_tree(Path(folder.path))


def set_damaged_logs_aside(tables: DeltaTables, names: Sequence[str]) -> list[str]:
    """Rename the newest log files of some tables as long as they are damaged, so that the tables can be read again.

    Such a commit was never released: its night is done again.

    Returns:
        The tables that had such a file.
    """
    found = []
    for name in names:
        folder = tables.folder(name)
        if not _is_local(folder):
            continue
        for file in _damaged_logs(Path(folder.path) / _LOG):
            file.rename(file.with_suffix(".damaged"))
            found.append(name)
    for name in dict.fromkeys(found):
        log.warning("table=%s its newest commit was cut short, by a power cut say; it is set aside", name)
    return list(dict.fromkeys(found))


def _damaged_logs(folder: Path) -> Iterator[Path]:
    """Yield the newest log files, from the last one on, until one is whole."""
    for file in sorted(folder.glob("*.json"), reverse=True):
        if _is_whole(file):
            return
        yield file


def _is_whole(file: Path) -> bool:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except ValueError:
        return False


def _is_local(folder: Folder) -> bool:
    return isinstance(folder.system, pafs.LocalFileSystem)


def _sync_newest(folder: Path, count: int) -> None:
    for file in sorted(folder.glob("*.json"))[-count:]:
        _sync(file)
    _sync(folder)


def _sync_tree(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        for name in files:
            _sync(Path(place) / name)
        _sync(Path(place))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
