"""Runs that are not on record: the row of a run is kept beside its staged files until `runs` has it.

A run that is killed cannot record itself, and `runs` may take no row at the moment when a night is published. The next
start adds what is missing.
"""

import json
import logging
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from emotion_udf.ingest.failures import cause_of
from emotion_udf.nightly.record import Outcome
from emotion_udf.storage import Folder
from emotion_udf.tables.durability import sync_file
from emotion_udf.tables.staging import dead_runs, mark_folder
from emotion_udf.tables.warehouse import Warehouse

log = logging.getLogger(__name__)

_ROW: Final = "_run.json"
_DATES: Final = ("event_date", "from_date", "to_date")
_TIMES: Final = ("started_at", "finished_at")
KILLED: Final = "killed"
"""The error of a run that did not live to say what went wrong."""


def keep_row(folder: Folder, row: Mapping[str, Any]) -> None:
    """Write a row of `runs` into a run's staging folder."""
    folder.make()
    with folder.system.open_output_stream((folder / _ROW).path) as stream:
        stream.write(json.dumps(row, default=_as_iso).encode())
    sync_file(folder / _ROW)


def read_row(folder: Folder) -> dict[str, Any] | None:
    """Return the row that is kept in a run's staging folder; None where there is none, or half of one."""
    try:
        with folder.system.open_input_stream((folder / _ROW).path) as stream:
            row: dict[str, Any] = json.loads(stream.read())
        return row | {name: date.fromisoformat(row[name]) for name in _DATES} | _times(row)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if cause_of(error) is None:  # a storage that does not answer says nothing of what it has
            raise
        return None


def clear_dead_runs(warehouse: Warehouse, staging_root: Folder) -> list[str]:
    """Delete what killed runs have left, but for what they still have to publish, and put them on record.

    Returns:
        The runs.
    """
    dead = dead_runs(staging_root)
    for run_id in dead:
        log.warning("run_id=%s its driver is gone; what it has left is put in order", run_id)
        deleted = warehouse.discard(run_id)
        folder = staging_root / run_id
        row = add_missing(warehouse, folder, run_id, is_published=not deleted)
        folder.remove()  # it may hold texts
        if row is not None:
            mark_folder(folder)
            keep_row(folder, row)
    return dead


def add_missing(warehouse: Warehouse, folder: Folder, run_id: str, is_published: bool) -> dict[str, Any] | None:
    """Add a dead run to `runs`, unless it is there.

    Args:
        warehouse: Holds `runs`.
        folder: The run's staging folder.
        run_id: The run.
        is_published: Whether the run holds its dates: then it was published, whatever its row says.

    Returns:
        The row, where `runs` could not take it; None where there is nothing left to add.
    """
    row = read_row(folder)
    if row is None:
        return None
    if is_published:
        row |= {"outcome": Outcome.PUBLISHED.value, "exit_code": 0, "error": None}
    try:
        if run_id not in warehouse.recorded_runs():
            warehouse.append_run(row)
            log.warning("run_id=%s it was missing in runs, and is added as %s", run_id, row["outcome"])
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of delta-rs is no Exception
        log.warning("run_id=%s it is missing in runs, which takes no row (%s)", run_id, type(error).__name__)
        return row
    return None


def _as_iso(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"expected a date or a time, found {type(value).__name__}")


def _times(row: Mapping[str, Any]) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(row[name]) for name in _TIMES}
