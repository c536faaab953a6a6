"""The night, step by step: read, quarantine, score, label, aggregate, gate, publish.

Each step's result is written before the next step reads it: Spark may evaluate a plan again, and rows that were
written once cannot change. Nothing is visible in a table before `publish`.
"""

import logging

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emotion_udf.classifier.artifact import open_artifact
from emotion_udf.errors import EmotionUdfError, from_worker
from emotion_udf.gates import Evidence, check_gates, require
from emotion_udf.ingest.attempts import write_window
from emotion_udf.ingest.inventory import Inventory
from emotion_udf.ingest.surroundings import check_surroundings
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.record import RunRecord, RunRecorder
from emotion_udf.nightly.scoring import score_night
from emotion_udf.schemas import (
    DAILY,
    LABELS,
    PARTITION,
    QUARANTINE,
    checked_schema,
    daily_schema,
    labels_schema,
    quarantine_schema,
)
from emotion_udf.settings.nightly import GateSettings, NightSettings
from emotion_udf.steps.aggregate import aggregate
from emotion_udf.steps.label import label
from emotion_udf.steps.quarantine import quarantine
from emotion_udf.steps.validate import validate
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables.opening import open_warehouse
from emotion_udf.tables.parquet import read_rows, sum_of, write_rows
from emotion_udf.tables.staging import dead_runs, staging_folder
from emotion_udf.tables.warehouse import Commit, Release, Warehouse
from emotion_udf.window import Window

log = logging.getLogger(__name__)


def run_night(
    spark: SparkSession, settings: NightSettings, window: Window, warehouse: Warehouse | None = None
) -> RunRecord:
    """Label the messages of `window` and publish the tables.

    Args:
        spark: The session.
        settings: All settings of the night.
        window: The days to label.
        warehouse: Where to publish; the one that the settings name by default.

    Returns:
        The published run, as recorded in `runs`.

    Raises:
        EmotionUdfError: The night ended early; the failed run is recorded in `runs` too, and nothing else of it stays.
    """
    context = RunContext(settings, window)
    recorder = RunRecorder(context)
    if warehouse is None:
        warehouse = open_warehouse(settings.warehouse)
    try:
        staging_root = open_folder(settings.staging_root)
        _clean_up(warehouse, staging_root)
        since = warehouse.version(LABELS)
        with staging_folder(staging_root, context.run_id) as staging:
            _prepare(spark, context, recorder, warehouse, staging)
            with recorder.step("publish") as counts:
                counts["dates"] = len(window.dates)
                counts["release"] = _publish(context, warehouse, since).number
    except BaseException as error:
        known = None if isinstance(error, EmotionUdfError) else from_worker(str(error))
        record = recorder.mark_failed(known or error)
        _discard(context, warehouse)
        _append(warehouse, record)
        if known:
            raise known from error
        raise
    record = recorder.mark_published()
    _append(warehouse, record)
    return record


def _prepare(
    spark: SparkSession, context: RunContext, recorder: RunRecorder, warehouse: Warehouse, staging: Folder
) -> None:
    """Write the night's files, of which no table knows yet, and check that they may be published."""
    settings = context.settings
    dimensions = settings.dimensions
    labels_at = warehouse.data_folder(LABELS, context.run_id)
    daily_at = warehouse.data_folder(DAILY, context.run_id)
    quarantine_at = warehouse.data_folder(QUARANTINE, context.run_id)
    artifact = open_artifact(settings.classifier.source)
    recorder.note(artifact=artifact)

    with recorder.step("read") as counts:
        inventory, read = _stage_checked(spark, context, staging / "checked")
        refused_files = len(inventory.refused)
        recorder.note(input_files=inventory.files, input_bytes=inventory.size)
        recorder.note(rows_read=read, refused_files=refused_files)
        counts |= {"rows": read, "files": len(inventory.files), "refused_files": refused_files}
        checked = read_rows(spark, staging / "checked", checked_schema(dimensions))
        accepted = checked.where(F.size("reasons") == 0)
    with recorder.step("quarantine") as counts:
        refused = quarantine(checked.where(F.size("reasons") > 0), inventory.refused, context.window, context.run_id)
        counts["rows"] = quarantined = write_rows(refused, quarantine_at, by_date=True) - refused_files
        recorder.note(rows_quarantined=quarantined)
    with recorder.step("score") as counts:
        scores = score_night(spark, context, warehouse, artifact, accepted, read - quarantined, staging)
        recorder.note(engines=scores.engines, distinct_texts=scores.scored + scores.reused, reused_texts=scores.reused)
        counts |= {"texts": scores.scored, "reused": scores.reused}
    with recorder.step("label") as counts:
        labels = label(scores.messages, scores.rows, settings, artifact, context.run_id)
        counts["rows"] = labelled = write_rows(labels.hint("rebalance", PARTITION), labels_at, by_date=True)
        recorder.note(rows_labelled=labelled)
    with recorder.step("aggregate") as counts:
        labels = read_rows(spark, labels_at, labels_schema(dimensions, settings.warehouse.keep_text))
        counts["rows"] = write_rows(_by_date(aggregate(labels, dimensions, context.run_id), dimensions), daily_at, True)
    evidence = Evidence(
        read=read,
        quarantined=quarantined,
        labelled=labelled,
        daily_total=sum_of(daily_at, "feedback_count"),
        files=len(inventory.files) + refused_files,
        refused_files=refused_files,
    )
    _gate(recorder, evidence, settings.gate)


def _stage_checked(spark: SparkSession, context: RunContext, folder: Folder) -> tuple[Inventory, int]:
    """Read and validate the window into `folder`."""
    settings = context.settings.input
    check_surroundings(spark, context.settings, context.window)
    return write_window(
        spark, settings, context.window, lambda rows: write_rows(validate(rows, settings), folder), folder.remove
    )


def _by_date(daily: DataFrame, dimensions: list[str]) -> DataFrame:
    """Put each date into one file, its rows in one order, so that equal nights give equal bytes."""
    return daily.repartition(PARTITION).sortWithinPartitions(PARTITION, *dimensions)


def _gate(recorder: RunRecorder, evidence: Evidence, settings: GateSettings) -> None:
    """Record what every gate says of the night, and stop it where one failed."""
    with recorder.step("gate") as counts:
        gates = check_gates(evidence, settings)
        recorder.note(gates=gates)
        counts["passed"] = sum(gate.passed for gate in gates)
        require(gates)


def _publish(context: RunContext, warehouse: Warehouse, since: int) -> Release:
    """Commit each table once and release them. The labels come first: who commits them holds the window."""
    dimensions = context.settings.dimensions
    tables = {
        LABELS: labels_schema(dimensions, context.settings.warehouse.keep_text),
        DAILY: daily_schema(dimensions),
        QUARANTINE: quarantine_schema(),
    }
    return warehouse.publish(tables, Commit(context.run_id, context.window.dates), since)


def _clean_up(warehouse: Warehouse, staging_root: Folder) -> None:
    """Finish or delete what killed runs have left: their texts, their files, and a release that they did not reach."""
    before = warehouse.release()
    after = warehouse.repair()
    if after != before and after is not None:
        log.warning("run_id=%s it was killed while it published; release %d finishes it", after.run_id, after.number)
    for run_id in dead_runs(staging_root):
        log.warning("run_id=%s it was killed; its files are deleted", run_id)
        warehouse.discard(run_id)
        (staging_root / run_id).remove()


def _discard(context: RunContext, warehouse: Warehouse) -> None:
    """Leave nothing of a failed night behind: its quarantine holds whole rows, with author and text."""
    try:
        warehouse.discard(context.run_id)
    except Exception as error:  # the error that ended the night is the one to report
        log.warning("run_id=%s its files could not be deleted (%s)", context.run_id, type(error).__name__)


def _append(warehouse: Warehouse, record: RunRecord) -> None:
    """Add the run to `runs`. That decides nothing: what is published stays so, and an error has its own message."""
    try:
        warehouse.append_run(record.row())
    except Exception as error:
        log.warning("run_id=%s it could not be recorded in runs (%s)", record.run_id, type(error).__name__)
