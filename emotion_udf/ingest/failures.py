"""Files that cannot be read: which, why, and whether to try again.

Spark ends a read at the first file that it cannot read, and says FAILED_READ_FILE of damage, of a missing codec, of a
checksum, and of a storage that does not answer. Here each gets its own reason.
"""

import errno
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import unquote

import pyarrow as pa

from emotion_udf.errors import StorageError
from emotion_udf.refusals import place_in_store
from emotion_udf.schemas import Reason

Result = TypeVar("Result")

READ_ERRORS: Final = (pa.ArrowException, OSError, ValueError)
"""What pyarrow raises for a file that it cannot read."""

PAUSES: Final = (1.0, 5.0)
"""Seconds to wait before a storage that did not answer is asked again."""

_PASSING_ERRNOS: Final = {
    errno.EAGAIN, errno.EBUSY, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH,
    errno.EINTR, errno.EMFILE, errno.ENETDOWN, errno.ENETUNREACH, errno.ENFILE, errno.EPIPE, errno.ESTALE,
    errno.ETIMEDOUT,
}  # fmt: skip
_PASSING: Final = re.compile(
    r"time.?out|timed out|connection (was )?(reset|refused|closed|aborted)|connectexception|slow.?down|throttl|"
    r"too many (requests|open files)|rate.?limit|server.?(is )?busy|no ?route ?to ?host|unknown ?host|"
    r"network.?connection|socketexception|closedchannel|broken pipe|stale file|sslexception|failed to respond|"
    r"premature e|standbyexception|retriableexception|safemodeexception|blockmissing|could not obtain block|"
    r"temporar(y|ily)|service.?unavailable|bad.?gateway|internal.?server.?error|InternalError\b|"
    r"(status|code|http\S*)\W{1,4}(code\W{1,4})?50[0234]\b",  # a number alone may count anything
    re.IGNORECASE,
)
_CAUSES: Final = (
    (Reason.MISSING_FILE, r"FILE_NOT_EXIST|PATH_NOT_FOUND"),
    (Reason.SCHEMA_MISMATCH, r"PARQUET_COLUMN_DATA_TYPE_MISMATCH|SchemaColumnConvertNotSupportedException"),
    (Reason.CHECKSUM_MISMATCH, r"ChecksumException"),
    (
        Reason.PERMISSION_DENIED,
        r"[Pp]ermission denied|AccessControlException|AccessDenied|ACCESS_DENIED|Forbidden|Unauthorized|ExpiredToken|"
        r"InvalidAccessKeyId|SignatureDoesNotMatch|NoAuthWith|INVALID_ACCESS_KEY_ID|SIGNATURE_DOES_NOT_MATCH|EXPIRED_TOKEN|(?i:status|code)\W{1,4}(?i:code\W{1,4})?40[13]\b",
    ),
    (Reason.UNSUPPORTED_CODEC, r"ClassNotFoundException: \S*Codec|Codec was not found|CodecConfigurationException"),
    (Reason.UNREADABLE_NAME, r"URISyntaxException"),
    (Reason.VALUE_OUT_OF_RANGE, r"ArithmeticException|DateTimeException"),
)


@dataclass(frozen=True)
class FailedFile:
    """The file at which a read of Spark ended.

    Attributes:
        uri: The file, as the inventory names it.
        reason: Why it cannot be read; None where the storage did not answer, and may do so later.
    """

    uri: str
    reason: Reason | None


def failed_file(error: str) -> FailedFile | None:
    """Find the file that made Spark's read fail.

    Args:
        error: What the error says, the executor's stack trace included.

    Returns:
        The file, or None when the error is another one.
    """
    found = re.search(
        r"\[FAILED_READ_FILE[^\]]*\] Encountered error while reading file (?P<file>\S+)\.\s"
        r"|\[PATH_NOT_FOUND\] Path does not exist: (?P<path>\S+?)\.?\s",
        error,
    )
    if not found:
        return None
    name = found["file"] or found["path"]
    uri = unquote(re.sub(r"^file:/(?!/)", "file:///", name))  # Spark writes a blank as %20, the inventory as it is
    said = _without_frames(error[found.start() :])
    for spelling in (name, uri, re.sub(r"^\w+:/*", "/", uri)):  # a file's name may hold any word
        said = said.replace(spelling, "")
    return FailedFile(uri, _cause(said))


def is_passing(error: str) -> bool:
    """Tell whether an error of Spark that names no file is one of its storage, as where it lists files."""
    return bool(_PASSING.search(_without_frames(error)))


def _without_frames(error: str) -> str:
    """Leave out the stack's frames: a line of source code may be the 503rd, and a class be named for time-outs."""
    return re.sub(r"\n\s+at .*", "", error)


def cause_of(error: Exception) -> Reason | None:
    """Return why pyarrow cannot read a file, None where the storage did not answer, and may do so later."""
    if isinstance(error, FileNotFoundError):
        return Reason.MISSING_FILE
    if isinstance(error, PermissionError):
        return Reason.PERMISSION_DENIED
    if isinstance(error, OSError) and error.errno is not None:
        return None if error.errno in _PASSING_ERRNOS else Reason.UNREADABLE_FILE
    return _cause(str(error)) if type(error) is OSError else Reason.UNREADABLE_FILE


def _cause(said: str) -> Reason | None:
    for reason, pattern in _CAUSES:
        if re.search(pattern, said):
            return reason
    return None if _PASSING.search(said) else Reason.UNREADABLE_FILE


def retried(call: Callable[[], Result]) -> Result:
    """Call the storage, again where it does not answer.

    Raises:
        StorageError: It did not answer any of the times.
    """
    for pause in (*PAUSES, None):
        try:
            return call()
        except READ_ERRORS as error:
            if cause_of(error) is not None:
                raise
            if pause is None:
                raise no_answer(error) from error
            time.sleep(pause)
    raise AssertionError("the last round returns or raises")


def no_answer(error: Exception) -> StorageError:
    """Return the error of a storage that was asked several times, the last time with this error."""
    place = place_in_store(str(error))
    at = f" at {place}" if place else ""
    return StorageError(
        f"expected the input's storage to answer, found no answer or a refusal to work {len(PAUSES) + 1} times{at}; "
        "start the job again when the storage is well, the input itself may be good"
    )
