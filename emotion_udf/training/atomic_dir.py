"""A folder that appears whole or not at all."""

import glob
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from emotion_udf.errors import UsageError


def refuse_existing(folder: Path) -> None:
    """Keep earlier results from being overwritten.

    Raises:
        UsageError: The folder exists.
    """
    if folder.exists():
        raise UsageError(f"expected no folder at {folder}, found one; remove it or name another output folder")


@contextmanager
def atomic_dir(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`, and rename it to `folder` once all went well.

    Raises:
        UsageError: The folder exists.
    """
    refuse_existing(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left_by_a_kill in folder.parent.glob(f".{glob.escape(folder.name)}.*"):
        shutil.rmtree(left_by_a_kill, ignore_errors=True)
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        partial = Path(temporary) / folder.name
        partial.mkdir()
        yield partial
        partial.rename(folder)
