"""The staging folder, where a run keeps what no table may show: it holds message texts, and goes when the run ends.

Each run has a folder below the staging root, with a mark of the process that made it. So the next run can tell what a
killed one has left from what a running one needs.
"""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pyarrow.fs import FileType

from emotion_udf.storage import Folder, is_local
from emotion_udf.tables.durability import sync_file

_MARK: Final = "_driver.json"
# Longer than any night: a folder this old was left by a run that was killed on another machine.
_ABANDONED_AFTER: Final = timedelta(days=2)
_MARKED_WITHIN: Final = timedelta(seconds=5)


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
    """Make a run's folder, marked as this process's; on a local disk only its user and group may look into it."""
    folder.make()
    if is_local(folder):
        place = Path(folder.path)
        with suppress(OSError):  # a mount of another kind of storage may know no rights
            place.chmod(place.stat().st_mode & ~0o007)
    with folder.system.open_output_stream((folder / _MARK).path) as stream:
        stream.write(json.dumps(_this_process()).encode())
    sync_file(folder / _MARK)


def unmark_folder(folder: Folder) -> None:
    """Take the mark away: what this process has left in the folder is for the next start to put in order."""
    with suppress(FileNotFoundError):
        folder.system.delete_file((folder / _MARK).path)


def dead_runs(root: Folder, abandoned_after: timedelta = _ABANDONED_AFTER) -> list[str]:
    """Return the runs below `root` whose driver is no longer there.

    Args:
        root: The folder that has a folder a run.
        abandoned_after: The age of a run from which on its driver is taken for gone if it was another machine's.
    """
    runs = _staged_runs(root)
    return [run for run, started_at in runs.items() if _is_dead(root / run, started_at, abandoned_after)]


def running_runs(root: Folder, abandoned_after: timedelta = _ABANDONED_AFTER) -> list[str]:
    """Return the runs below `root` whose driver is there, or may be (see `dead_runs`)."""
    runs = _staged_runs(root)
    return [run for run, started_at in runs.items() if not _is_dead(root / run, started_at, abandoned_after)]


def _staged_runs(root: Folder) -> dict[str, datetime]:
    """Return the runs that have a folder below `root`, and when they started; others and links are left out."""
    names = [entry.base_name for entry in root.children() if entry.type == FileType.Directory]
    names = [name for name in names if not (is_local(root) and Path(root.path, name).is_symlink())]
    return {name: started_at for name in names if (started_at := _started_at(name))}


def _is_dead(folder: Folder, started_at: datetime, abandoned_after: timedelta) -> bool:
    mark = _read_mark(folder)
    if mark is None:
        # The mark is the first thing in the folder, at once. Without it the run was killed then, or is making it now.
        made_at = folder.info().mtime or started_at
        time.sleep(max(0.0, (made_at + _MARKED_WITHIN - datetime.now(UTC)).total_seconds()))
        mark = _read_mark(folder)
    if mark is None:
        return True
    here = _this_process()
    if mark.get("machine") == here["machine"]:
        return bool(mark["boot"] != here["boot"] or _process_start(mark["process"]) != mark["process_start"])
    return started_at < datetime.now(UTC) - abandoned_after


def _read_mark(folder: Folder) -> dict[str, Any] | None:
    """Return the mark of the process that made a folder, None where there is none or a part of it."""
    try:
        with folder.system.open_input_stream((folder / _MARK).path) as stream:
            mark = json.loads(stream.read())
    except (FileNotFoundError, ValueError):
        return None
    return mark if isinstance(mark, dict) else None


def _started_at(run_id: str) -> datetime | None:
    """Read the start off a run's name."""
    try:
        return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _this_process() -> dict[str, str | int]:
    """Name this process so that no other has the same name, not even after a restart of the machine."""
    boot = _content("/proc/sys/kernel/random/boot_id")
    # Containers have no id, and hosts of one name may share a storage: there a restart makes another machine.
    machine = f"{platform.node()} {_content('/etc/machine-id') or boot}"
    process = os.getpid()
    return {"machine": machine, "boot": boot, "process": process, "process_start": _process_start(process)}


def _content(file: str) -> str:
    """Return a file's text, nothing where it cannot be read."""
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _process_start(process: int) -> str:
    """Return when a process started, in clock ticks since the machine did; empty when there is none."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    is_zombie = fields[0] == "Z"
    return "" if is_zombie else fields[19]  # field 22 of proc(5); the name in parentheses may hold blanks
