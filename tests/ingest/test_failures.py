import errno

import pyarrow as pa
import pytest

from emotion_udf.errors import StorageError
from emotion_udf.ingest import failures
from emotion_udf.ingest.failures import FailedFile, cause_of, failed_file, retried
from emotion_udf.schemas import Reason

SPARK = """An error occurred while calling o1.parquet.
: SparkException: [FAILED_READ_FILE.{hint}] Encountered error while reading file {uri}. {more} SQLSTATE: KD001
\tat org.apache.spark.sql.errors.QueryExecutionErrors$.cannotReadFilesError(QueryExecutionErrors.scala:895)
Caused by: {cause}
"""


@pytest.mark.parametrize(
    ("hint", "cause", "reason"),
    [
        ("NO_HINT", "java.io.IOException: could not decode the dictionary for [a]", Reason.UNREADABLE_FILE),
        ("NO_HINT", "java.lang.ArithmeticException: long overflow", Reason.VALUE_OUT_OF_RANGE),
        (
            "NO_HINT",
            "java.lang.ClassNotFoundException: org.apache.hadoop.io.compress.BrotliCodec",
            Reason.UNSUPPORTED_CODEC,
        ),
        ("NO_HINT", "org.apache.hadoop.fs.ChecksumException: Checksum error: file:/a at 563", Reason.CHECKSUM_MISMATCH),
        ("NO_HINT", "java.io.FileNotFoundException: /a (Permission denied)", Reason.PERMISSION_DENIED),
        ("NO_HINT", "java.net.URISyntaxException: Relative path in absolute URI: .a:b.crc", Reason.UNREADABLE_NAME),
        ("FILE_NOT_EXIST", "java.io.FileNotFoundException: File file:/a does not exist", Reason.MISSING_FILE),
        ("PARQUET_COLUMN_DATA_TYPE_MISMATCH", "", Reason.SCHEMA_MISMATCH),
        ("NO_HINT", "java.net.SocketTimeoutException: Read timed out", None),
        ("NO_HINT", "java.net.SocketException: Connection reset", None),
        ("NO_HINT", "com.amazonaws.AmazonS3Exception: Please reduce your request rate. SlowDown", None),
        ("NO_HINT", "AWSServiceIOException: getFileStatus (Service: S3, Status Code: 503, Request ID: x)", None),
        ("NO_HINT", "AWSStatus500Exception: We encountered an internal error (Error Code: InternalError)", None),
        ("NO_HINT", "AbfsRestOperationException: Operation failed: Server is busy, 503, GET, ServerBusy", None),
        ("NO_HINT", "HttpResponseException: 502 Bad Gateway", None),
        ("NO_HINT", "java.io.IOException: HTTP/1.1 504", None),
        ("NO_HINT", "org.apache.http.NoHttpResponseException: host:443 failed to respond", None),
        ("NO_HINT", "ConnectionClosedException: Premature end of Content-Length delimited message body", None),
        ("NO_HINT", "org.apache.hadoop.hdfs.BlockMissingException: Could not obtain block: BP-1", None),
        ("NO_HINT", "java.net.UnknownHostException: bucket: Temporary failure in name resolution", None),
        ("NO_HINT", "javax.net.ssl.SSLException: Unexpected record", None),
        ("NO_HINT", "java.io.FileNotFoundException: /a (Stale file handle)", None),
        ("NO_HINT", "AmazonS3Exception: The provided token has expired. ExpiredToken", Reason.PERMISSION_DENIED),
        ("NO_HINT", "HttpResponseException: 401 Unauthorized", Reason.PERMISSION_DENIED),
        ("NO_HINT", "S3Exception: null (Service: S3, Status Code: 403)", Reason.PERMISSION_DENIED),
        ("NO_HINT", "ParquetDecodingException: Can not read value at 503 in block 500", Reason.UNREADABLE_FILE),
        ("NO_HINT", "java.io.EOFException\n\tat a.B.read(TimeoutReader.java:503)", Reason.UNREADABLE_FILE),
    ],
)
def test_a_failed_read_has_a_file_and_a_reason(hint: str, cause: str, reason: Reason | None) -> None:
    said = SPARK.format(hint=hint, uri="file:///in/a%20b.parquet", more="", cause=cause)
    assert failed_file(said) == FailedFile("file:///in/a b.parquet", reason)


@pytest.mark.parametrize(
    "cause",
    [
        "damage",
        "at /in/503-timed out-SlowDown.parquet",
        "x: file:/in/503-timed out-SlowDown.parquet is not a Parquet file",
    ],
)
def test_a_files_name_is_no_cause(cause: str) -> None:
    said = SPARK.format(hint="NO_HINT", uri="file:///in/503-timed%20out-SlowDown.parquet", more="", cause=cause)
    assert failed_file(said) == FailedFile("file:///in/503-timed out-SlowDown.parquet", Reason.UNREADABLE_FILE)


def test_a_path_that_is_gone_is_a_missing_file() -> None:
    said = "[PATH_NOT_FOUND] Path does not exist: file:/in/a.parquet. SQLSTATE: 42K03"
    assert failed_file(said) == FailedFile("file:///in/a.parquet", Reason.MISSING_FILE)


@pytest.mark.parametrize("said", ["", "java.lang.OutOfMemoryError", "Encountered error while reading"])
def test_another_error_has_no_file(said: str) -> None:
    assert failed_file(said) is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), Reason.PERMISSION_DENIED),
        (FileNotFoundError(errno.ENOENT, "No such file"), Reason.MISSING_FILE),
        (pa.ArrowInvalid("Parquet magic bytes not found"), Reason.UNREADABLE_FILE),
        (OSError("Couldn't deserialize thrift: TProtocolException: Invalid data"), Reason.UNREADABLE_FILE),
        (OSError("AWS Error ACCESS_DENIED during HeadObject operation"), Reason.PERMISSION_DENIED),
        (OSError(errno.EIO, "Input/output error"), Reason.UNREADABLE_FILE),
        (OSError("AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 28, Timeout was reached"), None),
        (OSError("AWS Error SLOW_DOWN during GetObject operation"), None),
        (OSError("AWS Error UNKNOWN (HTTP status 503) during HeadObject operation"), None),
        (OSError("AWS Error UNKNOWN (HTTP status 403) during HeadObject operation"), Reason.PERMISSION_DENIED),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), None),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), None),
    ],
)
def test_pyarrows_errors_have_reasons(error: Exception, reason: Reason | None) -> None:
    assert cause_of(error) == reason


def test_a_passing_error_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "PAUSES", (0.0, 0.0))
    left = [TimeoutError(errno.ETIMEDOUT, "x"), TimeoutError(errno.ETIMEDOUT, "x")]

    def call() -> str:
        if left:
            raise left.pop()
        return "here"

    assert retried(call) == "here"


def test_a_storage_that_never_answers_ends_with_its_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "PAUSES", (0.0, 0.0))
    calls = []

    def call() -> None:
        calls.append(1)
        raise TimeoutError(errno.ETIMEDOUT, "x")

    with pytest.raises(StorageError) as caught:
        retried(call)
    assert (len(calls), caught.value.exit_code) == (3, 1)


def test_damage_is_not_tried_again() -> None:
    calls = []

    def call() -> None:
        calls.append(1)
        raise pa.ArrowInvalid("damaged")

    with pytest.raises(pa.ArrowInvalid):
        retried(call)
    assert len(calls) == 1
