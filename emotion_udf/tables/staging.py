"""The staging folder, where a run keeps what no table may show: it holds message texts, and goes when the run ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from pyarrow.fs import FileType

from emotion_udf.storage import Folder

# Longer than any night: a folder this old was left by a run that was killed.
_ABANDONED_AFTER: Final = timedelta(days=2)


@contextmanager
def staging_folder(root: Folder, run_id: str) -> Iterator[Folder]:
    """Yield the run's own folder below `root` and delete it at the end, along with those of runs killed long ago."""
    for entry in root.children():
        if entry.type == FileType.Directory and _started_at(entry.base_name) < datetime.now(UTC) - _ABANDONED_AFTER:
            (root / entry.base_name).remove()
    try:
        yield root / run_id
    finally:
        (root / run_id).remove()


def _started_at(run_id: str) -> datetime:
    """Read the start off a run's name; a foreign folder counts as new and stays."""
    try:
        return datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)
