"""The staging folder, where a run keeps what no table may show: it holds message texts, and goes when the run ends.

Each run has a folder below the staging root, with a mark of the process that made it. So the next run can tell what a
killed one has left from what a running one needs.
"""

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pyarrow.fs import FileType

from emotion_udf.storage import Folder

_MARK: Final = "_driver.json"
# Longer than any night: a folder this old was left by a run that was killed on another machine.
_ABANDONED_AFTER: Final = timedelta(days=2)


@contextmanager
def staging_folder(root: Folder, run_id: str) -> Iterator[Folder]:
    """Yield the run's own folder below `root`, and delete it at the end."""
    staging = root / run_id
    mark_folder(staging)
    try:
        yield staging
    finally:
        staging.remove()


def mark_folder(folder: Folder) -> None:
    """Make a run's folder, marked as this process's."""
    folder.system.create_dir(folder.path, recursive=True)
    with folder.system.open_output_stream((folder / _MARK).path) as stream:
        stream.write(json.dumps(_this_process()).encode())


def dead_runs(root: Folder) -> list[str]:
    """Return the runs below `root` whose driver is no longer there."""
    return [run_id for run_id, started_at in _staged_runs(root).items() if _is_dead(root / run_id, started_at)]


def running_runs(root: Folder) -> list[str]:
    """Return the runs below `root` whose driver is there, or may be."""
    return [run_id for run_id, started_at in _staged_runs(root).items() if not _is_dead(root / run_id, started_at)]


def _staged_runs(root: Folder) -> dict[str, datetime]:
    """Return the runs that have a folder below `root`, and when they started; foreign folders are left out."""
    names = [entry.base_name for entry in root.children() if entry.type == FileType.Directory]
    return {name: started_at for name in names if (started_at := _started_at(name))}


def _is_dead(folder: Folder, started_at: datetime) -> bool:
    try:
        with folder.system.open_input_stream((folder / _MARK).path) as stream:
            mark = json.loads(stream.read())
    except (OSError, ValueError):
        mark = {}
    here = _this_process()
    if mark.get("machine") == here["machine"]:
        return bool(_process_start(mark["process"]) != mark["process_start"])
    return started_at < datetime.now(UTC) - _ABANDONED_AFTER


def _started_at(run_id: str) -> datetime | None:
    """Read the start off a run's name."""
    try:
        return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _this_process() -> dict[str, str | int]:
    """Name this process so that no other has the same name, not even after a restart of the machine."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    machine = f"{platform.node()} {boot.read_text().strip() if boot.is_file() else ''}"
    return {"machine": machine, "process": os.getpid(), "process_start": _process_start(os.getpid())}


def _process_start(process: int) -> str:
    """Return when a process started, in clock ticks since the machine did; empty when there is none."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    is_zombie = fields[0] == "Z"
    return "" if is_zombie else fields[19]  # field 22 of proc(5); the name in parentheses may hold blanks
