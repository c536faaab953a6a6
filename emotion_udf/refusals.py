"""A storage that refuses: a disk that is full, a read-only file system, a folder that the job may not use.

Python, pyarrow, delta-rs and Java each have errors of their own for it, and Spark wraps Java's in others. All of them
carry the words of the operating system, and most of them the path.
"""

import re
from collections.abc import Iterator
from typing import Final

from emotion_udf.errors import StorageError

_REFUSALS: Final = (
    (
        r"No space left on device|Disk quota exceeded|No enough space|not enough (disk )?space",
        "no space left",
        "make room, or name another place in the settings (warehouse.root, staging.root, Spark's spark.local.dir)",
    ),
    (r"Read-only file system", "a read-only file system", "mount it for writing, or name another place"),
    (
        r"Permission denied|Operation not permitted|AccessControlException|Access ?Denied|\bForbidden\b",
        "no permission",
        "let the job's user read and write there",
    ),
    (r"Input/output error", "a device that fails", "look at the machine's log"),
    (r"Too many open files", "too many open files", "raise the limit of open files (ulimit -n)"),
    (
        r"Mkdirs failed to create|_temporary/\d+ does not exist",  # Hadoop does not say why
        "a folder that cannot be made",
        "see that the job's user may write there, that the file system is not read-only, and that there is room",
    ),
)
_PATH: Final = re.compile(r"(?<![\w/])(?:[a-z0-9]+:)?/{1,3}[^\s'\"()\[\],;:]+")
_WRITTEN: Final = re.compile(r"(?<=Task failed while writing rows to )\S+")
_FRAME: Final = re.compile(r"\s*(at |File \"|\.\.\. \d)")


def refusal_of(error: BaseException) -> StorageError | None:
    """Return this project's words for an error that comes from a storage that refuses; None for any other error.

    Of the error only the path is taken over: the rest may quote data.
    """
    for line in _lines(error):
        for pattern, found, remedy in _REFUSALS:
            if re.search(pattern, line):
                path = _PATH.search(line) or _WRITTEN.search(str(error))
                place = f" at {path[0].rstrip('.')}" if path else ""
                return StorageError(f"expected a storage that takes and gives files, found {found}{place}; {remedy}")
    return None


def _lines(error: BaseException) -> Iterator[str]:
    """Yield what an error and its causes say, without the places in the code."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield from (line for line in str(cause).splitlines() if not _FRAME.match(line))
        cause = cause.__cause__ or cause.__context__
