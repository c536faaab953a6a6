"""The Spark session and the settings that the job's promises need."""

import logging
import os
import re
import signal
import sys
import threading
from typing import Final

from py4j.protocol import Py4JNetworkError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emotion_udf.errors import EmotionUdfError

log = logging.getLogger(__name__)

_ENDED: Final = re.compile(r"SparkContext (was|has been) (shut ?down|stopped)|on a stopped SparkContext")

REQUIRED: Final = {
    # Days are cut in the settings' zone from instants in UTC; the machine's own zone must not matter.
    "spark.sql.session.timeZone": "UTC",
    # Spark's default, INT96, is read by delta-rs as nanoseconds and refused.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # `input.table` names a table; parquet.`/any/path` would be another way to name files.
    "spark.sql.runSQLOnFiles": "false",
    # A second copy of a slow task would score its rows again and compete for the same cores or GPU.
    "spark.speculation": "false",
    # Shuffles put texts on the disks of executors, where a kill leaves them. The key is in memory only.
    "spark.io.encryption.enabled": "true",
    # Damaged files are set aside by the inventory, with a reason; Spark must not skip any silently.
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    # A worker's traceback must not print its local variables: messages are among them.
    "spark.sql.execution.pyspark.udf.tracebackWithLocals.enabled": "false",
    # Rows of one Arrow batch: a worker reads some of them while it scores the window before.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2500",
    # Only names in the data decide column types, not how a partition folder's value looks.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}
"""Set by the job whatever the cluster's defaults are."""

# Hadoop gives its files the rights of its own setting, this one by default, and takes no notice of a stricter process.
_HADOOP_UMASK: Final = 0o022


_IDLE_TIMEOUT: Final = "spark.sql.execution.pyspark.udf.idleTimeoutSeconds"
_KILL_WHEN_IDLE: Final = "spark.sql.execution.pyspark.udf.killOnIdleTimeout"
_IDLE_SECONDS: Final = 600


def start_session(app_name: str, debug: bool = False) -> SparkSession:
    """Start (or take) the Spark session, with `REQUIRED` and a progress bar where a terminal shows it.

    Where nothing says when a silent worker hangs, it is ended after ten minutes: one that works hands its scores on
    after each `classifier.WINDOW_TOKENS`, for which the slowest models and cores take a minute or two.

    Args:
        app_name: What Spark's pages call the run.
        debug: Show where in a Python worker an error arose, not just what it says.
    """
    settings = REQUIRED | {
        "spark.ui.showConsoleProgress": str(_is_on_terminal()).lower(),
        "spark.sql.execution.pyspark.udf.hideTraceback.enabled": str(not debug).lower(),
    }
    umask = _umask()
    if umask & ~_HADOOP_UMASK:
        settings["spark.hadoop.fs.permissions.umask-mode"] = f"{umask:03o}"
    if not _is_submitted():  # Spark's own default is whichever python3 comes first on the PATH
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    if session.conf.get(_IDLE_TIMEOUT) == "0":  # Spark's own default waits for ever
        session.conf.set(_IDLE_TIMEOUT, str(_IDLE_SECONDS))
        session.conf.set(_KILL_WHEN_IDLE, "true")
    if threading.current_thread() is threading.main_thread():
        # pyspark's own asks Java to cancel all jobs, in the middle of another call to it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return session


def stop_session(spark: SparkSession) -> None:
    """Stop the session, whatever state it is in. From here on the job is not interrupted any more: this is its end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    try:
        spark.stop()
    except Exception as error:  # its Java process may be gone
        log.warning("the Spark session could not be stopped (%s)", type(error).__name__)


def lost_session(error: BaseException) -> EmotionUdfError | None:
    """Return this project's words for an error that only says that Spark was ended; None for any other error."""
    if isinstance(error, (Py4JNetworkError, ConnectionError)) or _ENDED.search(str(error)):
        return EmotionUdfError(
            "expected Spark to work on, found that its Java process was ended: by a signal, or for want of memory; "
            "start the job again"
        )
    return None


def _umask() -> int:
    """Return which rights this process takes from the files that it makes."""
    umask = os.umask(_HADOOP_UMASK)
    os.umask(umask)
    return umask


def _is_submitted() -> bool:
    """Tell whether spark-submit started this Python, and so has chosen the workers' one."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _is_on_terminal() -> bool:
    """Tell whether somebody watches: spark-submit gives its Python a pipe, so its own standard error counts."""
    if not _is_submitted():
        return sys.stderr.isatty()
    try:
        return os.readlink(f"/proc/{os.getppid()}/fd/2").startswith(("/dev/pts/", "/dev/tty", "/dev/console"))
    except OSError:
        return False


def parallelism(spark: SparkSession) -> int:
    """Return how many tasks the cluster runs at once: as many as `range` makes, which works over Connect too."""
    return spark.range(100_000).select(F.spark_partition_id().alias("task")).distinct().count()
