import errno
import os

import pytest

from emotion_udf.errors import StorageError
from emotion_udf.refusals import refusal_of

SECRET = "i hate my neighbour"  # noqa: S105
SPARK = f"""An error occurred while calling o57.parquet.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 3.0 failed 4 times
\tat org.apache.spark.scheduler.DAGScheduler.abortStage(DAGScheduler.scala:2900)
Driver stacktrace: {SECRET}
Caused by: java.io.{{}}
\tat java.base/java.io.FileOutputStream.open0(Native Method)
\t... 43 more
"""


def system_error(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (system_error(errno.ENOSPC), "no space left; make room"),
        (system_error(errno.ENOSPC, "/lake/w/x.parquet"), "no space left at /lake/w/x.parquet; make room"),
        (system_error(errno.EDQUOT), "no space left; make room"),
        (system_error(errno.EROFS, "/lake/w"), "a read-only file system at /lake/w; mount it for writing"),
        (system_error(errno.EACCES, "/lake/w"), "no permission at /lake/w; let the job's user read and write there"),
        (system_error(errno.EIO, "/lake/w"), "a device that fails at /lake/w; look at the machine's log"),
        (system_error(errno.EMFILE), "too many open files; raise the limit"),
        (
            OSError(
                "Generic LocalFileSystem error: Unable to open file /w/_delta_log/1.json#1: No space left on device"
            ),
            "no space left at /w/_delta_log/1.json#1; make room",
        ),
        (
            OSError("[Errno 13] Failed to open local file '/w/part 1.parquet'. Detail: [errno 13] Permission denied"),
            "no permission at /w/part; let",
        ),
        (
            OSError("When getting information for key 'a/b' in bucket 'lake': AWS Error NETWORK_CONNECTION during …"),
            "no answer at s3://lake/a/b; see that the store is up",
        ),
        (
            OSError("Generic S3 error\n  Error performing PUT http://h:1/lake/a?x=1 in 2s\n  operation timed out"),
            "no answer at http://h:1/lake/a; see that the store is up",
        ),
        (
            OSError("When listing objects in bucket 'lake': AWS Error SIGNATURE_DOES_NOT_MATCH during ListObjectsV2"),
            "keys that the store does not take at s3://lake; see that AWS_ACCESS_KEY_ID",
        ),
        (
            OSError("Error performing PUT http://h:1/lake/a in 1ms - Server returned\n 501 Not Implemented"),
            "a store without conditional put at http://h:1/lake/a; use one",
        ),
        (
            OSError("Error performing GET http://h:1/lake/a in 1ms, after 2 retries\n 503 Service Unavailable"),
            "a store that is overloaded or broken at http://h:1/lake/a; run it again",
        ),
        (
            RuntimeError(SPARK.format('UnsupportedFileSystemException: No FileSystem for scheme "s3"')),
            "a Spark without this storage's jars; give it",
        ),
        (RuntimeError(SPARK.format("IOException: No space left on device")), "no space left; make room"),
        (
            RuntimeError(SPARK.format("FileNotFoundException: /w/emotion_labels/part-0.parquet (Permission denied)")),
            "no permission at /w/emotion_labels/part-0.parquet; let",
        ),
        (
            RuntimeError(SPARK.format("IOException: Mkdirs failed to create file:/w/_temporary/0 (exists=false)")),
            "a folder that cannot be made at file:/w/_temporary/0; see",
        ),
        (
            RuntimeError(
                "An error occurred.\n: java.io.FileNotFoundException: File file:/w/_temporary/0 does not exist"
            ),
            "a folder that cannot be made at file:/w/_temporary/0; see",
        ),
        (
            RuntimeError(
                "[TASK_WRITE_FAILED] Task failed while writing rows to file:/w/labels. SQLSTATE: 58030\n"
                "Caused by: java.io.IOException: No space left on device"
            ),
            "no space left at file:/w/labels; make room",
        ),
        (
            RuntimeError(SPARK.format("nio.file.FileSystemException: /tmp/blockmgr-1/0a: Read-only file system")),
            "a read-only file system at /tmp/blockmgr-1/0a; mount",
        ),
    ],
)
def test_a_refusal_is_told_with_what_to_do(error: Exception, found: str) -> None:
    refusal = refusal_of(error)
    assert isinstance(refusal, StorageError)
    assert f"found {found}" in str(refusal)
    assert SECRET not in str(refusal)
    assert refusal.exit_code == 1


def test_the_cause_of_an_error_counts() -> None:
    wrapped = RuntimeError("it failed")
    wrapped.__cause__ = system_error(errno.ENOSPC, "/lake/w")
    assert "no space left at /lake/w" in str(refusal_of(wrapped))


@pytest.mark.parametrize("error", [ValueError(SECRET), RuntimeError(SPARK.format("IOException: damaged")), OSError()])
def test_any_other_error_is_none(error: Exception) -> None:
    assert refusal_of(error) is None
