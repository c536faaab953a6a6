"""The night, step by step: inventory, read, quarantine, canary, score, label, terms, aggregate, gate, publish.

Each step's result is written before the next step reads it: Spark may evaluate a plan again, and rows that were
written once cannot change. Nothing is visible in a table before `publish`.
"""

import logging
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from emotion_udf.classifier.artifact import Artifact, open_artifact
from emotion_udf.errors import EmotionUdfError, from_worker
from emotion_udf.gates import Canary, Evidence, check_forced, check_gates, check_model, check_pseudonyms, require
from emotion_udf.ingest.attempts import find_input, write_window
from emotion_udf.ingest.inventory import Inventory
from emotion_udf.ingest.surroundings import check_surroundings
from emotion_udf.nightly.accepted import checked
from emotion_udf.nightly.beside import beside
from emotion_udf.nightly.canary import score_canary
from emotion_udf.nightly.careful import with_care
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.diagnosis import log_diagnosis
from emotion_udf.nightly.evidence import history_days, profiles_of_night, profiles_of_release
from emotion_udf.nightly.record import PSEUDONYMS, RunRecord, RunRecorder, pseudonyms_entry
from emotion_udf.nightly.scorer import Scorer, scorer_of
from emotion_udf.nightly.scoring import NightScores, score_night, worthwhile_tasks
from emotion_udf.nightly.unrecorded import KILLED, clear_dead_runs, keep_row
from emotion_udf.plans import FOR_FEW, for_many, with_settings
from emotion_udf.refusals import refusal_of
from emotion_udf.schemas import (
    DAILY,
    LABELS,
    PARTITION,
    QUARANTINE,
    TERMS,
    checked_schema,
    daily_schema,
    labels_schema,
    quarantine_schema,
    terms_schema,
)
from emotion_udf.session import lost_session
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.steps.aggregate import aggregate, bad_probabilities
from emotion_udf.steps.label import label
from emotion_udf.steps.pseudonymise import read_pseudonyms, require_hidden
from emotion_udf.steps.quarantine import quarantine, unscorable
from emotion_udf.steps.score import distinct_texts, with_text_key
from emotion_udf.steps.terms import terms
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables.opening import open_warehouse
from emotion_udf.tables.parquet import read_rows, sum_of, write_rows
from emotion_udf.tables.staging import mark_folder, staging_folder
from emotion_udf.tables.warehouse import Commit, Release, Warehouse
from emotion_udf.window import Window
from emotion_udf.workers.archives import as_unpacked
from emotion_udf.workers.report import TaskReport

log = logging.getLogger(__name__)

# Messages whose terms one task sorts into one file.
_ROWS_OF_A_TERMS_FILE: Final = 20_000_000


class PublishedInterrupt(KeyboardInterrupt):
    """The process was asked to end when its night was published already."""


def run_night(
    spark: SparkSession,
    settings: NightSettings,
    window: Window,
    warehouse: Warehouse | None = None,
    forced: Collection[str] = (),
    begun: Callable[[RunRecorder], None] = lambda _: None,
) -> RunRecord:
    """Label the messages of `window` and publish the tables.

    Args:
        spark: The session.
        settings: All settings of the night.
        window: The days to label.
        warehouse: Where to publish; the one that the settings name by default.
        forced: Names of gates that may fail without stopping the night.
        begun: Called when the run has its name, with what keeps its record from then on.

    Returns:
        The published run, as recorded in `runs`.

    Raises:
        EmotionUdfError: The night ended early; the failed run is recorded in `runs` too, and nothing else of it stays.
        PublishedInterrupt: The process is to end; the night is published.
    """
    check_forced(forced, settings.gate)
    context = RunContext(settings, window, pseudonyms=read_pseudonyms(settings.input))
    recorder = RunRecorder(context)
    if warehouse is None:
        warehouse = open_warehouse(settings.warehouse, spark)
    staging_root = open_folder(settings.staging_root, settings.warehouse.timeout_s)
    is_recorded = False
    begun(recorder)
    try:
        _clean_up(warehouse, staging_root)
        since = warehouse.version(LABELS)
        with staging_folder(staging_root, context.run_id) as staging:
            keep_row(staging, replace(recorder.record, error=KILLED).row())
            _prepare(_Night(spark, context, recorder, warehouse, staging, forced))
            keep_row(staging, replace(recorder.record, error=KILLED).row())
            with recorder.step("publish") as counts:
                counts["dates"] = len(window.dates)
                counts["release"] = _publish(context, warehouse, since).number
            is_recorded = _append(warehouse, recorder.mark_published())
    except BaseException as error:
        if not _is_released(warehouse, context):
            known = None if isinstance(error, EmotionUdfError) else _known(error)
            _end_failed(recorder.mark_failed(known or error), warehouse, staging_root)
            log_diagnosis(recorder.record.row())
            if known:
                raise known from error
            raise
        log.warning("run_id=%s it is published, then: %s", context.run_id, type(error).__name__)
        if isinstance(error, KeyboardInterrupt):
            _keep(staging_root, recorder.mark_published())
            raise PublishedInterrupt from error
    if not is_recorded:
        _keep(staging_root, recorder.mark_published())
    try:
        _discard(warehouse, context.run_id)  # scores that text_scores did not take
        warehouse.upkeep()
        log_diagnosis(recorder.record.row())
    except KeyboardInterrupt as error:
        raise PublishedInterrupt from error
    return recorder.record


@dataclass(frozen=True)
class _Night:
    """What every step of a night works with."""

    spark: SparkSession
    context: RunContext
    recorder: RunRecorder
    warehouse: Warehouse
    staging: Folder
    forced: Collection[str]

    def data(self, table: str) -> Folder:
        """Return where the run writes a table's files, of which no table knows yet."""
        return self.warehouse.data_folder(table, self.context.run_id)


@dataclass(frozen=True)
class _Staged:
    """The window's rows after validation.

    Attributes:
        accepted: Rows of `checked_schema()` without reasons.
        inventory: The files behind them.
        read: All rows.
        quarantined: Those that were refused.
    """

    accepted: DataFrame
    inventory: Inventory
    read: int
    quarantined: int


def _prepare(night: _Night) -> None:
    """Write the night's files, and check that they may be published."""
    with night.recorder.step("model"):
        artifact = open_artifact(as_unpacked(night.context.settings.classifier.source))
        night.recorder.note(artifact=artifact)
    scorer = scorer_of(night.spark, artifact, night.context.settings.classifier)
    _check_pseudonyms(night)
    inventory = _find_input(night)
    rows, size = inventory.expected_rows, inventory.window_bytes
    tasks = None if rows is None else worthwhile_tasks(rows, night.context.settings.classifier.rows_per_task)

    def canary() -> tuple[Canary, list[TaskReport]]:
        return with_care(night.context, scorer, lambda by: score_canary(night.spark, artifact, by, tasks))

    with (
        with_settings(night.spark, FOR_FEW if inventory.is_small else for_many(night.spark, rows or 0, size)),
        beside(night.spark, canary) as scored_canary,
    ):
        staged = _stage(night, inventory)
        _check_model(night, scored_canary)
        scores = _score(night, artifact, scorer, staged)
        if scores.unscorable:
            staged = _set_aside(night, scores, staged)
        labelled = _label(night, artifact, staged, scores)
        with beside(night.spark, partial(_write_daily, night, labelled)) as written:
            # Not in the thread: over Connect, Spark's list of stop words is asked of the session of this one.
            _write_terms(night, staged, labelled)
        bad = _aggregate(night, written)
        _check_night(night, staged, labelled, bad)


def _check_pseudonyms(night: _Night) -> None:
    """See that ids and authors stand for the same as in the dates that the night leaves alone."""
    gates = check_pseudonyms(_days_of_other_pseudonyms(night), night.forced)
    night.recorder.note(gates=gates)
    require(gates)


def _days_of_other_pseudonyms(night: _Night) -> int | None:
    """Count them by `runs`, which stops no night: None where it cannot be read."""
    own = pseudonyms_entry(night.context.pseudonyms).get(PSEUDONYMS)
    try:
        released = night.warehouse.released_runs(["versions"])
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of delta-rs is no Exception
        reason = type(error).__name__
        log.warning("run_id=%s runs cannot be read (%s), pseudonyms are not compared", night.context.run_id, reason)
        return None
    others = [run for day, run in released.items() if day not in night.context.window.dates]
    return sum(bool(run["versions"].get(PSEUDONYMS) != own) for run in others)


def _find_input(night: _Night) -> Inventory:
    """Look at the input's files, before Spark opens any."""
    settings = night.context.settings
    with night.recorder.step("inventory") as counts:
        check_surroundings(night.spark, settings, night.context.window)
        inventory = find_input(night.spark, settings.input, night.context.window)
        require_hidden(inventory, night.context.pseudonyms)
        counts |= {"files": len(inventory.files), "refused_files": len(inventory.refused)}
    return inventory


def _stage(night: _Night, inventory: Inventory) -> _Staged:
    """Read and validate the window, and put what is refused into quarantine."""
    context = night.context
    with night.recorder.step("read") as counts:
        inventory, read, refused_rows = _stage_checked(night.spark, context, inventory, night.staging / "checked")
        refused_files = len(inventory.refused)
        night.recorder.note(input_files=inventory.files, input_bytes=inventory.size)
        night.recorder.note(rows_read=read, refused_files=refused_files)
        counts |= {"rows": read, "files": len(inventory.files), "refused_files": refused_files, "bytes": inventory.size}
    checked = read_rows(night.spark, night.staging / "checked", checked_schema(context.settings.dimensions))
    quarantined = 0
    if refused_rows or refused_files:
        with night.recorder.step("quarantine") as counts:
            rows = quarantine(checked.where(F.size("reasons") > 0), inventory.refused, context.window, context.run_id)
            counts["rows"] = quarantined = write_rows(rows, night.data(QUARANTINE), by_date=True) - refused_files
            night.recorder.note(rows_quarantined=quarantined)
    return _Staged(checked.where(F.size("reasons") == 0), inventory, read, quarantined)


def _check_model(night: _Night, scored: Future[tuple[Canary, list[TaskReport]]]) -> None:
    """See that the model says of the canary what it always did, before it says anything of the messages."""
    with night.recorder.step("canary"):
        canary, tasks = scored.result()
        gates = check_model(canary, night.context.settings.gate, night.forced)
        night.recorder.note(canary_tasks=tasks, gates=[*night.recorder.record.gates, *gates])
        require(gates)


def _score(night: _Night, artifact: Artifact, scorer: Scorer, staged: _Staged) -> NightScores:
    """Find or make the scores of the night's texts."""
    with night.recorder.step("score") as counts:
        accepted_rows = staged.read - staged.quarantined
        scores = score_night(
            night.spark,
            night.context,
            night.warehouse,
            artifact,
            scorer,
            staged.accepted,
            accepted_rows,
            night.staging,
        )
        night.recorder.note(engines=scores.engines, reused_texts=scores.reused, tasks=scores.tasks)
        night.recorder.note(distinct_texts=scores.scored + scores.reused)
        tokens = sum(task.tokens for task in scores.tasks)
        counts |= {"texts": scores.scored, "reused": scores.reused, "tokens": tokens}
    return scores


def _set_aside(night: _Night, scores: NightScores, staged: _Staged) -> _Staged:
    """Add the messages of texts that cannot be scored to the quarantine."""
    context = night.context
    with night.recorder.step("unscorable") as counts:
        rows = unscorable(scores.messages, scores.unscorable, context.settings.dimensions, context.run_id)
        folder = night.data(QUARANTINE)
        quarantined = write_rows(rows, folder, by_date=True, add=True) - len(staged.inventory.refused)
        night.recorder.note(rows_quarantined=quarantined)
        counts |= {"texts": len(scores.unscorable), "rows": quarantined - staged.quarantined}
        log.warning("run_id=%s texts that cannot be scored are in quarantine, as model_error", context.run_id)
    return replace(staged, quarantined=quarantined)


def _label(night: _Night, artifact: Artifact, staged: _Staged, scores: NightScores) -> int:
    """Write `emotion_labels`, and return its rows."""
    with night.recorder.step("label") as counts:
        labels = label(scores.messages, scores.rows, night.context.settings, artifact, night.context.run_id)
        spread = labels if staged.inventory.is_small else labels.hint("rebalance", PARTITION)
        counts["rows"] = rows = write_rows(spread, night.data(LABELS), by_date=True)
        night.recorder.note(rows_labelled=rows)
    return rows


def _labels(night: _Night) -> DataFrame:
    """Read the labels as they were written."""
    settings = night.context.settings
    return read_rows(night.spark, night.data(LABELS), labels_schema(settings.dimensions, settings.warehouse.keep_text))


def _write_terms(night: _Night, staged: _Staged, labelled: int) -> None:
    """Write `emotion_terms` from the labels and the staged texts."""
    settings = night.context.settings
    if not settings.terms.enabled:
        return
    with night.recorder.step("terms") as counts:
        texts = distinct_texts(with_text_key(staged.accepted, shared=True))
        dimensions = settings.term_dimensions
        found = terms(_labels(night), texts, dimensions, settings.terms.min_texts, night.context.run_id)
        ordered = _by_date(found, [*dimensions, "emotion", "term"], 1 + labelled // _ROWS_OF_A_TERMS_FILE)
        counts["rows"] = write_rows(ordered, night.data(TERMS), by_date=True)


def _write_daily(night: _Night, labelled: int) -> tuple[int, int]:
    """Write `emotion_daily` from the labels; return its rows, and how many labels have bad probabilities."""
    dimensions = night.context.settings.dimensions
    seen = Observation()
    observed = _labels(night).observe(seen, bad_probabilities().alias("bad"))
    daily = aggregate(observed, dimensions, night.context.run_id)
    rows = write_rows(_by_date(daily, dimensions), night.data(DAILY), by_date=True)
    return rows, int(seen.get["bad"]) if labelled else 0  # of an empty plan Spark observes nothing


def _aggregate(night: _Night, written: Future[tuple[int, int]]) -> int:
    """Wait for `emotion_daily`, which is written beside `emotion_terms`; return how many labels are bad."""
    with night.recorder.step("aggregate") as counts:
        counts["rows"], bad = written.result()
    return bad


def _check_night(night: _Night, staged: _Staged, labelled: int, bad: int) -> None:
    """Gather the evidence, record what every gate says of it, and stop the night where one failed."""
    window = night.context.window
    limits = night.context.settings.gate
    expected = staged.inventory.expected_rows
    with night.recorder.step("gate") as counts:
        evidence = Evidence(
            read=staged.read,
            expected=staged.read if expected is None else expected,
            quarantined=staged.quarantined,
            labelled=labelled,
            daily_total=sum_of(night.data(DAILY), "feedback_count"),
            bad_probabilities=bad,
            files=staged.inventory.candidates,
            refused_files=len(staged.inventory.refused),
            tonight=profiles_of_night(night.data(DAILY), night.data(QUARANTINE), window),
            published=profiles_of_release(night.warehouse, window.dates),
            history=profiles_of_release(night.warehouse, history_days(window, limits.history_days)),
        )
        gates = [*night.recorder.record.gates, *check_gates(evidence, limits, night.forced)]
        night.recorder.note(gates=gates)
        counts["passed"] = sum(gate.passed for gate in gates)
        require(gates)


def _stage_checked(
    spark: SparkSession, context: RunContext, inventory: Inventory, folder: Folder
) -> tuple[Inventory, int, int]:
    """Read and validate the window into `folder`; return what was read, how many rows, and how many are refused."""
    seen = Observation()

    def write(rows: DataFrame) -> int:
        nonlocal seen
        seen = Observation()
        validated = checked(rows, context.settings.input, context.pseudonyms)
        return write_rows(validated.observe(seen, F.count_if(F.size("reasons") > 0).alias("refused")), folder)

    inventory, read = write_window(spark, inventory, write, folder.remove)
    return inventory, read, int(seen.get["refused"]) if read else 0  # of an empty plan Spark observes nothing


def _by_date(rows: DataFrame, key: list[str], files: int = 1) -> DataFrame:
    """Put each date into one file, or some by hashes, with its rows in one order: equal nights give equal bytes."""
    spread = rows.repartition(PARTITION) if files == 1 else rows.repartition(files, PARTITION, *key)
    return spread.sortWithinPartitions(PARTITION, *key)


def _publish(context: RunContext, warehouse: Warehouse, since: int) -> Release:
    """Commit each table once and release them. The labels come first: who commits them holds the window."""
    dimensions = context.settings.dimensions
    tables = {
        LABELS: labels_schema(dimensions, context.settings.warehouse.keep_text),
        DAILY: daily_schema(dimensions),
        QUARANTINE: quarantine_schema(),
        TERMS: terms_schema(context.settings.term_dimensions),
    }
    return warehouse.publish(tables, Commit(context.run_id, context.window.dates), since)


def _clean_up(warehouse: Warehouse, staging_root: Folder) -> None:
    """Finish or delete what killed runs have left: their texts, their files, and a release that they did not reach."""
    warehouse.repair()
    clear_dead_runs(warehouse, staging_root)


def _known(error: BaseException) -> EmotionUdfError | None:
    """Return a foreign error in this project's words, None where it is unexpected."""
    return from_worker(str(error)) or refusal_of(error) or lost_session(error)


def _is_released(warehouse: Warehouse, context: RunContext) -> bool:
    """Tell whether the newest release is the run's, whatever went wrong after it."""
    try:
        release = warehouse.release()
    except Exception:  # the error that ended the night is the one to report
        return False
    return release is not None and release.run_id == context.run_id


def _end_failed(record: RunRecord, warehouse: Warehouse, staging_root: Folder) -> None:
    """Leave nothing of a failed night behind but its record: its quarantine holds whole rows, with author and text.

    A run that holds its dates already will be finished by the next start, which also puts it on record.
    """
    if not _discard(warehouse, record.run_id) or not _append(warehouse, record):
        _keep(staging_root, record)


def _discard(warehouse: Warehouse, run_id: str) -> bool:
    """Delete what no table needs of a run; tell if nothing is left of it."""
    try:
        return warehouse.discard(run_id)
    except Exception as error:  # no reason to fail a published night, nor to hide what failed another one
        log.warning("run_id=%s its files could not be deleted (%s)", run_id, type(error).__name__)
        return False


def _append(warehouse: Warehouse, record: RunRecord) -> bool:
    """Add the run to `runs`, and tell whether it is there.

    That decides nothing: what is published stays so, and an error has its own message.
    """
    try:
        warehouse.append_run(record.row())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of delta-rs is no Exception
        log.warning("run_id=%s it could not be recorded in runs (%s)", record.run_id, type(error).__name__)
        return False
    return True


def _keep(staging_root: Folder, record: RunRecord) -> None:
    """Keep the run's row for the next start to add."""
    with suppress(Exception):  # as on a disk that is full
        mark_folder(staging_root / record.run_id)
        keep_row(staging_root / record.run_id, record.row())
