"""Reading a window although some of its files cannot be read: Spark ends a read at the first of them."""

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow.fs as pafs
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.errors import EmotionUdfError, UsageError
from emotion_udf.ingest.checksums import has_other_checksum
from emotion_udf.ingest.failures import (
    PAUSES,
    READ_ERRORS,
    FailedFile,
    cause_of,
    failed_file,
    is_passing,
    no_answer,
    retried,
)
from emotion_udf.ingest.footers import Footer, check_content, count_window_rows
from emotion_udf.ingest.inventory import Inventory, is_own, take_inventory
from emotion_udf.ingest.memory import ReadLimits, read_limits
from emotion_udf.ingest.read import read_files, read_window
from emotion_udf.ingest.surroundings import check_names
from emotion_udf.plans import FOR_FEW, with_settings
from emotion_udf.schemas import Reason
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.storage import Folder, in_threads, is_local, open_folder
from emotion_udf.window import Window

log = logging.getLogger(__name__)

_FROM_SPARK: Final = (PySparkException, Py4JJavaError)

# Spark reads whole batches of rows, and 4,096 large ones do not fit.
_BATCH_ROWS: Final = 4_096

_FOR_SMALL_FILES: Final = {
    # By default Spark counts an opened file like 4 MB, and lists one file a task.
    "spark.sql.files.openCostInBytes": str(64 * 1024),
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "64",
}
# On a disk the driver asks for a file faster than it could start a task; an object store is asked by many tasks.
_ON_DISK: Final = {"spark.sql.sources.parallelPartitionDiscovery.threshold": str(2**31 - 1)}


def find_input(spark: SparkSession, settings: InputSettings, window: Window) -> Inventory:
    """Look at the input's files before Spark opens any; the files of a catalog table are not known here.

    Args:
        spark: The session, whose tasks limit what a file may hold.
        settings: Where the input is and what its columns are called.
        window: The days.

    Raises:
        InputError: The input does not meet its contract, or no file of it can be read.
        StorageError: The storage does not answer.
    """
    if settings.path is None:
        return Inventory(None, settings, window)
    return take_inventory(open_folder(settings.path, settings.timeout_s), settings, window, read_limits(spark))


def write_window(
    spark: SparkSession,
    inventory: Inventory,
    write: Callable[[DataFrame], int],
    undo: Callable[[], None],
) -> tuple[Inventory, int]:
    """Read a window and write its rows; begin again without the files that turn out to be unreadable.

    Args:
        spark: The session.
        inventory: What `find_input` found.
        write: Writes the rows of `RawRows` and returns how many there were.
        undo: Deletes what a `write` that failed has left.

    Returns:
        The files that were read and refused, and what `write` returned.

    Raises:
        InputError: The input does not meet its contract, or no file of it can be read.
        StorageError: The storage does not answer.
        UsageError: Executors still do not see a file that the driver sees, after some pauses.
    """
    if inventory.root is None:
        raw = read_window(spark, inventory.settings, inventory.window)
        return inventory, write(raw.rows)
    root = inventory.root
    limits = read_limits(spark)
    check_names(spark, inventory.files)
    pauses = iter(PAUSES)
    while True:
        try:
            with with_settings(spark, _sizes_for(inventory, limits)):
                rows = write(read_files(spark, inventory))
        except Exception as error:
            said = str(error)
            failed = failed_file(said)
            if failed is not None and failed.uri not in inventory.files:
                failed = None
            if failed is None and not (isinstance(error, _FROM_SPARK) and is_passing(said)):
                raise
            undo()
            if failed is not None and _is_elsewhere(root, failed):
                _wait(pauses, _not_everywhere(root, failed))
            elif failed is None or failed.reason is None:
                _wait(pauses, no_answer(error))
            else:
                inventory = inventory.without(find_unreadable(root.system, inventory, failed))
            continue
        untrue = {} if rows == inventory.expected_rows else find_untrue(root.system, inventory)
        if not untrue:
            return inventory, rows
        undo()
        inventory = inventory.without(untrue)


def _is_elsewhere(root: Folder, failed: FailedFile) -> bool:
    """Tell whether a file that a task did not find is on the driver's disk."""
    is_missing = failed.reason is Reason.MISSING_FILE and is_local(root)
    return is_missing and bool(root.system.get_file_info(failed.uri.removeprefix("file://")).is_file)


def _not_everywhere(root: Folder, failed: FailedFile) -> UsageError:
    return UsageError(
        f"expected the input at {root.path} on every machine, found one without {Path(failed.uri).name}; name storage "
        "that driver and executors share in input.path"
    )


def find_unreadable(system: pafs.FileSystem, inventory: Inventory, failed: FailedFile) -> dict[str, Reason]:
    """Return the files that cannot be read, with reasons, once Spark has met the first of them.

    All are looked for at once: each would end a read of its own.
    """

    def examine(footer: Footer) -> Reason | None:
        if footer.file.uri == failed.uri:
            return failed.reason
        if failed.reason == Reason.UNSUPPORTED_CODEC and footer.codecs:
            return failed.reason
        try:
            if footer.file.is_checksummed and has_other_checksum(system, footer.file.path):
                return Reason.CHECKSUM_MISMATCH
            retried(lambda: check_content(system, footer, inventory.schema.fieldNames()))
        except READ_ERRORS as error:
            return cause_of(error)
        return None

    return _with_reasons(inventory, examine)


def find_untrue(system: pafs.FileSystem, inventory: Inventory) -> dict[str, Reason]:
    """Return the files whose footers tell other times than they hold, with reasons: by them no row can be counted."""
    settings, window = inventory.settings, inventory.window

    def examine(footer: Footer) -> Reason | None:
        undated = is_own(footer.file, settings, window)
        count = partial(count_window_rows, system, footer, settings.columns.created_at, window, undated, is_true=False)
        try:
            return None if retried(count) == footer.window_rows else Reason.UNREADABLE_FILE
        except READ_ERRORS as error:
            return cause_of(error)

    return _with_reasons(inventory, examine)


def _with_reasons(inventory: Inventory, examine: Callable[[Footer], Reason | None]) -> dict[str, Reason]:
    found = zip(inventory.footers, in_threads(examine, inventory.footers), strict=True)
    return {footer.file.uri: reason for footer, reason in found if reason is not None}


def _wait(pauses: Iterator[float], last: EmotionUdfError) -> None:
    """Pause before another try; after the last pause, raise an error."""
    pause = next(pauses, None)
    if pause is None:
        raise last
    log.warning("the input's storage did not answer, or not to every machine; it is read again in %.0f s", pause)
    time.sleep(pause)


def _sizes_for(inventory: Inventory, limits: ReadLimits) -> dict[str, str]:
    """Return the settings by which Spark reads as much at once as the files, and their rows, are worth."""
    is_on_disk = inventory.root is not None and is_local(inventory.root)
    settings = _FOR_SMALL_FILES | (_ON_DISK if is_on_disk else {}) | (FOR_FEW if inventory.is_small else {})
    read = inventory.schema.fieldNames()
    largest = max((sum(footer.bytes_per_row.get(name, 0) for name in read) for footer in inventory.footers), default=0)
    if largest * _BATCH_ROWS > limits.batch:
        settings["spark.sql.parquet.columnarReaderBatchSize"] = str(max(1, int(limits.batch / largest)))
    return settings
