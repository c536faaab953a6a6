"""A storage that refuses: a disk that is full, a read-only file system, a folder that the job may not use, no answer.

Python, pyarrow, delta-rs and Java each have errors of their own for it, and Spark wraps Java's in others. All of them
carry the words of the operating system or those of an object store, and most of them the path.
"""

import os
import re
from collections.abc import Iterator, Sequence
from typing import Final

from emotion_udf.errors import StorageError

_KEYS: Final = (
    "see that AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and their like are in the job's environment, and valid"
)

_REFUSALS: Final = (
    (
        r"No space left on device|Disk quota exceeded|No enough space|not enough (disk )?space",
        "no space left",
        "make room, or name another place in the settings (warehouse.root, staging.root, Spark's spark.local.dir)",
    ),
    (r"Read-only file system", "a read-only file system", "mount it for writing, or name another place"),
    # In the words of object stores: codes come first, as they are more precise than the status that comes with them.
    (r"SignatureDoesNotMatch|InvalidAccessKeyId|ExpiredToken|InvalidToken", "keys that the store does not take", _KEYS),
    (
        r"AWS Error (SIGNATURE_DOES_NOT_MATCH|INVALID_ACCESS_KEY_ID|EXPIRED_TOKEN|INVALID_CLIENT_TOKEN)",
        "keys that the store does not take",
        _KEYS,
    ),
    (r"//169\.254\.1", "no keys for the store", _KEYS),  # the last resort: the machine's role, where it has one
    (
        r"No FileSystem for scheme|ClassNotFoundException: Class org\.apache\.hadoop\.fs\.\S+FileSystem not found",
        "a Spark without this storage's jars",
        "give it those of its own Hadoop version (docs/object_stores.md)",
    ),
    (r"NoSuchBucket|AWS Error NO_SUCH_BUCKET", "no such bucket", "make it, or name another one in the settings"),
    (
        r"501 Not Implemented",
        "a store without conditional put",
        "use one that knows If-None-Match: without it two writers could both win",
    ),
    (
        r"AWS Error NETWORK_CONNECTION|error sending request|error decoding response body|operation timed out",
        "no answer",
        "see that the store is up and AWS_ENDPOINT_URL is right, then run it again; timeout_s in the settings makes "
        "the job wait longer",
    ),
    (
        r"AWS Error (SLOW_DOWN|THROTTLING|SERVICE_UNAVAILABLE|INTERNAL_FAILURE)|\b50[0234] (Internal Server Error|"
        r"Bad Gateway|Service Unavailable|Gateway Time-?out)",
        "a store that is overloaded or broken",
        "run it again when the store is well",
    ),
    (
        r"Permission denied|Operation not permitted|AccessControlException|Access ?Denied|ACCESS_DENIED|\bForbidden\b",
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
_OBJECT: Final = re.compile(r"(?:key '(?P<key>[^']*)' in )?bucket '(?P<bucket>[^']+)'")
_SOURCE: Final = re.compile(r"source '(?P<bucket>[^/']+)/(?P<key>[^']+)': AWS Error")
_URL: Final = re.compile(r"(?<=Error performing )[A-Z]+ (https?://[^\s?]+)")
_WRITTEN: Final = re.compile(r"(?<=Task failed while writing rows to )\S+")
_FRAME: Final = re.compile(r"\s*(at |File \"|\.\.\. \d)")


def refusal_of(error: BaseException) -> StorageError | None:
    """Return this project's words for an error that comes from a storage that refuses; None for any other error.

    Of the error only the path is taken over: the rest may quote data.
    """
    lines = list(_lines(error))
    for pattern, found, remedy in _REFUSALS:
        for line in lines:
            if re.search(pattern, line):
                place = place_in_store("\n".join(lines)) or _path(line, error) or _store(lines)
                at = f" at {place}" if place else ""
                return StorageError(f"expected a storage that takes and gives files, found {found}{at}; {remedy}")
    return None


def place_in_store(said: str) -> str | None:
    """Return the address of the object that an error of pyarrow or delta-rs is about, None where it names none."""
    if found := _OBJECT.search(said) or _SOURCE.search(said):
        return f"s3://{found['bucket']}/{found['key'] or ''}".rstrip("/")
    return url[1] if (url := _URL.search(said)) else None


def _store(lines: Sequence[str]) -> str | None:
    """Return the store that the environment names, for an error in the middle of a body, which says no more of it."""
    return os.environ.get("AWS_ENDPOINT_URL") if "Generic S3 error" in lines else None


def _path(line: str, error: BaseException) -> str | None:
    found = _PATH.search(line) or _WRITTEN.search(str(error))
    return found[0].rstrip(".") if found else None


def _lines(error: BaseException) -> Iterator[str]:
    """Yield what an error and its causes say, without the places in the code."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield from (line for line in str(cause).splitlines() if not _FRAME.match(line))
        cause = cause.__cause__ or cause.__context__
