"""The Spark session and the settings that the job's promises need."""

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Final

from py4j.protocol import Py4JNetworkError
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.utils import is_remote

from emotion_udf.errors import EmotionUdfError, UsageError

log = logging.getLogger(__name__)

_ENDED: Final = re.compile(
    r"SparkContext (was|has been) (shut ?down|stopped)|on a stopped SparkContext|StatusCode\.UNAVAILABLE"
)

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


_UMASK: Final = "spark.hadoop.fs.permissions.umask-mode"

_FIXED_AT_START: Final = {
    "spark.speculation": ("false", "the same texts may be scored twice at once, which costs time and changes nothing"),
    "spark.io.encryption.enabled": ("false", "shuffles leave texts on the disks of executors as plain text"),
    _UMASK: (f"{_HADOOP_UMASK:03o}", "files have the rights that Spark's own process gives them"),
}
"""What Spark takes up when it starts only: its defaults, and what follows where it is not as the job sets it."""

_STARTED_OTHERWISE: Final = (
    "expected %s = %s, found %s in a Spark that was started before the job: %s; set it where Spark is started"
)

_IDLE_TIMEOUT: Final = "spark.sql.execution.pyspark.udf.idleTimeoutSeconds"
_KILL_WHEN_IDLE: Final = "spark.sql.execution.pyspark.udf.killOnIdleTimeout"
_IDLE_SECONDS: Final = 600

_SERVER_ANSWERS_S: Final = 20

_MANY: Final = 100_000  # more rows than a cluster has cores


def start_session(app_name: str, debug: bool = False) -> SparkSession:
    """Start (or take) the Spark session, with `REQUIRED` and a progress bar where a terminal shows it.

    Where nothing says when a silent worker hangs, it is ended after ten minutes: one that works hands its scores on
    after each `classifier.WINDOW_TOKENS`, for which the slowest models and cores take a minute or two.

    Where SPARK_REMOTE names a Spark Connect server, or a session is there already, what Spark takes up when it starts
    cannot be set any more: a warning names what follows.

    Args:
        app_name: What Spark's pages call the run.
        debug: Show where in a Python worker an error arose, not just what it says.

    Raises:
        UsageError: No Connect server answers.
    """
    settings = REQUIRED | {
        "spark.ui.showConsoleProgress": str(_is_on_terminal()).lower(),
        "spark.sql.execution.pyspark.udf.hideTraceback.enabled": str(not debug).lower(),
    }
    umask = _umask()
    if umask & ~_HADOOP_UMASK:
        settings[_UMASK] = f"{umask:03o}"
    if not _is_submitted():  # Spark's own default is whichever python3 comes first on the PATH
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(app_name)
    if os.environ.get("SPARK_REMOTE", "").startswith("sc:"):
        _require_server(os.environ["SPARK_REMOTE"])
    if _is_remote() or SparkSession.getActiveSession() is not None:
        session = builder.getOrCreate()
        _set_while_it_runs(session, settings)
    else:
        for key, value in settings.items():
            builder = builder.config(key, value)
        session = builder.getOrCreate()
    if session.conf.get(_IDLE_TIMEOUT, "0") == "0":  # Spark's own default waits for ever
        session.conf.set(_IDLE_TIMEOUT, str(_IDLE_SECONDS))
        session.conf.set(_KILL_WHEN_IDLE, "true")
    if threading.current_thread() is threading.main_thread():
        # pyspark's own asks Java to cancel all jobs, in the middle of another call to it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return session


def _require_server(remote: str) -> None:
    """See that a Connect server answers: pyspark would go on asking for ten minutes.

    Raises:
        UsageError: None does, or what speaks to it is not installed.
    """
    try:
        import grpc
        from pyspark.sql.connect.client import DefaultChannelBuilder
    except ImportError as error:
        raise UsageError(
            "expected what Spark Connect needs, as SPARK_REMOTE names a server, found no such packages; install "
            "emotion-udf[connect]"
        ) from error
    builder = DefaultChannelBuilder(remote)
    with builder.toChannel() as channel:
        try:
            grpc.channel_ready_future(channel).result(_SERVER_ANSWERS_S)
        except grpc.FutureTimeoutError as error:
            raise UsageError(
                f"expected a Spark Connect server at sc://{builder.endpoint}, found none that answers in "
                f"{_SERVER_ANSWERS_S} s; start it, or correct SPARK_REMOTE"
            ) from error


def _set_while_it_runs(session: SparkSession, settings: Mapping[str, str]) -> None:
    """Set what can be set in a session that others started, such as a Connect server's, and tell of what cannot."""
    for key, value in settings.items():
        if session.conf.isModifiable(key):
            session.conf.set(key, value)
        elif key in _FIXED_AT_START:
            default, follows = _FIXED_AT_START[key]
            if (found := session.conf.get(key, default)) != value:
                log.warning(_STARTED_OTHERWISE, key, value, found, follows)


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


def _is_remote() -> bool:
    """Tell whether Spark is a Connect server; pyspark itself knows it once there is a session."""
    return "SPARK_REMOTE" in os.environ or is_remote()


def _is_on_terminal() -> bool:
    """Tell whether somebody watches: spark-submit gives its Python a pipe, so its own standard error counts."""
    if not _is_submitted():
        return sys.stderr.isatty()
    try:
        return os.readlink(f"/proc/{os.getppid()}/fd/2").startswith(("/dev/pts/", "/dev/tty", "/dev/console"))
    except OSError:
        return False


def parallelism(spark: SparkSession) -> int:
    """Return how many tasks the cluster runs at once: as many as `range` makes, which works over Connect too.

    Where executors come and go by what there is to do, it is what the most of them would run, if the settings say so.
    """
    tasks = spark.range(_MANY).select(F.spark_partition_id().alias("task"))
    ((last,),) = tasks.agg(F.max("task")).collect()
    return max(int(last) + 1, dynamic_tasks(spark.conf.get))


def dynamic_tasks(setting: Callable[[str, str], str | None]) -> int:
    """Return how many tasks the most executors of dynamic allocation run at once; 0 where nothing says it.

    Args:
        setting: Returns a setting of Spark, or what it is given where there is none.
    """
    if setting("spark.dynamicAllocation.enabled", "false") != "true":
        return 0
    most = int(setting("spark.dynamicAllocation.maxExecutors", "0") or 0)
    cores, of_task = (int(setting(key, "1") or 1) for key in ("spark.executor.cores", "spark.task.cpus"))
    return most * max(1, cores // of_task)
