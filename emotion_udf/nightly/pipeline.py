"""The night, step by step: read, validate, score, label, aggregate, gate, publish.

Each step's result is written before the next step reads it: Spark may evaluate a plan again, and rows that were
written once cannot change. Nothing is visible in a table before `publish`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emotion_udf.classifier.artifact import open_artifact
from emotion_udf.errors import EmotionUdfError, from_worker
from emotion_udf.gates.counts import NightCounts, check_night, require
from emotion_udf.ingest.inventory import Inventory
from emotion_udf.ingest.read import damaged_file, read_window
from emotion_udf.nightly.run import Run
from emotion_udf.nightly.scoring import score_night
from emotion_udf.schemas import (
    DAILY,
    LABELS,
    QUARANTINE,
    checked_schema,
    daily_schema,
    labels_schema,
    quarantine_schema,
)
from emotion_udf.settings.nightly import InputSettings, NightSettings
from emotion_udf.steps.aggregate import aggregate
from emotion_udf.steps.label import label
from emotion_udf.steps.quarantine import quarantine
from emotion_udf.steps.reuse import each_message_its_own_text
from emotion_udf.steps.validate import validate
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables.delta import PARTITION, Commit, DeltaWarehouse
from emotion_udf.tables.parquet import read_rows, sum_of, write_rows
from emotion_udf.tables.runs import append_run
from emotion_udf.tables.staging import staging_folder
from emotion_udf.window import Window

log = logging.getLogger(__name__)


def run_night(spark: SparkSession, settings: NightSettings, window: Window) -> Run:
    """Label the messages of `window` and publish the tables.

    Returns:
        The published run, as recorded in `runs`.

    Raises:
        EmotionUdfError: The night ended early; the failed run is recorded in `runs` too.
    """
    run = Run(settings, window)
    warehouse = DeltaWarehouse(open_folder(settings.warehouse.root))
    try:
        since = warehouse.version(LABELS)
        with staging_folder(warehouse.root, run.run_id) as staging:
            _prepare(spark, run, warehouse, staging)
        with _step(run, "publish") as counts:
            counts["dates"] = len(window.dates)
            _publish(run, warehouse, since)
        run.publish()
    except BaseException as error:
        known = None if isinstance(error, EmotionUdfError) else from_worker(str(error))
        run.fail(known or error)
        with suppress(Exception):  # the first error is the one to report
            append_run(warehouse, run.row())
        if known:
            raise known from error
        raise
    append_run(warehouse, run.row())
    return run


def _prepare(spark: SparkSession, run: Run, warehouse: DeltaWarehouse, staging: Folder) -> None:
    """Write the night's files, of which no table knows yet, and see that they may be published."""
    settings, window, run_id = run.settings, run.window, run.run_id
    dimensions = settings.dimensions
    labels_at, daily_at, quarantine_at = (warehouse.data_folder(t, run_id) for t in (LABELS, DAILY, QUARANTINE))
    run.artifact = open_artifact(settings.classifier.source)

    with _step(run, "read") as counts:
        inventory, read = _stage_checked(spark, settings.input, window, staging / "checked")
        refused_files, run.input_files, run.input_bytes = inventory.refused, inventory.files, inventory.size
        counts |= {"rows": read, "files": len(run.input_files), "refused_files": len(refused_files)}
        checked = read_rows(spark, staging / "checked", checked_schema(dimensions))
        accepted = checked.where(F.size("reasons") == 0)
    with _step(run, "quarantine") as counts:
        refused = quarantine(checked.where(F.size("reasons") > 0), refused_files, window, run_id)
        counts["rows"] = quarantined = write_rows(refused, quarantine_at, by_date=True) - len(refused_files)
    with _step(run, "score") as counts:
        if settings.scores.reuse == "off":
            accepted = each_message_its_own_text(accepted)
        scores = score_night(spark, run, run.artifact, warehouse, staging, accepted, read - quarantined)
        run.engines = scores.engines
        counts |= {"texts": scores.fresh, "reused": scores.reused}
    with _step(run, "label") as counts:
        labelled = label(accepted, scores.rows, settings, run.artifact, run_id)
        counts["rows"] = rows = write_rows(labelled.hint("rebalance", PARTITION), labels_at, by_date=True)
    with _step(run, "aggregate") as counts:
        labels = read_rows(spark, labels_at, labels_schema(dimensions, settings.warehouse.keep_text))
        daily = aggregate(labels, dimensions, run_id).repartition(PARTITION)
        counts["rows"] = write_rows(daily.sortWithinPartitions(PARTITION, *dimensions), daily_at, by_date=True)
    with _step(run, "gate") as counts:
        run.counts = NightCounts(
            read=read,
            quarantined=quarantined,
            distinct_texts=scores.fresh + scores.reused,
            reused_texts=scores.reused,
            labelled=rows,
            daily_total=sum_of(daily_at, "feedback_count"),
            files=len(run.input_files) + len(refused_files),
            refused_files=len(refused_files),
        )
        run.gates = check_night(run.counts, settings.gate)
        counts["passed"] = sum(gate.passed for gate in run.gates)
        require(run.gates)


def _stage_checked(
    spark: SparkSession, settings: InputSettings, window: Window, folder: Folder
) -> tuple[Inventory, int]:
    """Read and validate the window into `folder`; begin again without a file that turns out to be damaged."""
    damaged: list[str] = []
    while True:
        raw = read_window(spark, settings, window, damaged)
        try:
            return raw.inventory, write_rows(validate(raw.rows, settings), folder)
        except Exception as error:
            file = damaged_file(str(error))
            if file is None or file in damaged:
                raise
            damaged.append(file)
            folder.remove()


def _publish(run: Run, warehouse: DeltaWarehouse, since: int) -> None:
    """Commit each table once. The labels come first: who commits them holds the window."""
    dimensions = run.settings.dimensions
    tables = {
        LABELS: labels_schema(dimensions, run.settings.warehouse.keep_text),
        DAILY: daily_schema(dimensions),
        QUARANTINE: quarantine_schema(),
    }
    warehouse.publish(tables, Commit(run.run_id, run.window.dates), since)


@contextmanager
def _step(run: Run, name: str) -> Iterator[dict[str, int]]:
    """Time a step and log one line for it, with the counts that the step leaves in the yielded dict."""
    counts: dict[str, int] = {}
    started, ended = perf_counter(), "failed"
    try:
        yield counts
        ended = "done"
    finally:
        run.seconds[name] = round(perf_counter() - started, 3)
        listed = "".join(f" {key}={value}" for key, value in counts.items())
        log.info("run_id=%s step=%s %s%s seconds=%.2f", run.run_id, name, ended, listed, run.seconds[name])
