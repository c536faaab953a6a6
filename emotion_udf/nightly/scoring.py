"""The score step of a night: find the scores that are known, score the other texts once, and remember them."""

import logging
import math
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.nightly.careful import with_care
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.scorer import Scorer
from emotion_udf.plans import FEW_ROWS
from emotion_udf.schemas import TEXT_SCORES, scores_schema
from emotion_udf.session import parallelism
from emotion_udf.steps.score import distinct_texts, known_scores, new_texts, score, with_origin, with_text_key
from emotion_udf.storage import Folder
from emotion_udf.tables.parquet import read_rows, take_out_nulls, values_of, write_rows
from emotion_udf.tables.warehouse import Warehouse
from emotion_udf.workers.report import TaskReport, read_reports

log = logging.getLogger(__name__)

# A worker's start costs seconds, so a task is worth it from about so many rows on.
_LEAST_ROWS_PER_TASK = 1_000

# A task that is tried again then costs a hundredth of the step. And each task fetches a part of what each task of the
# stage before has written: without a limit, ten times the texts would be a hundred times the parts.
_MOST_ROUNDS = 100


@dataclass(frozen=True)
class NightScores:
    """The scores of a night's texts.

    Attributes:
        messages: The accepted messages with their `text_key`.
        rows: Of `scores_schema()`, one row a key, read from what was written.
        scored: Texts that this run scored.
        reused: Texts that an earlier run had scored.
        engines: What scored the texts of this run.
        unscorable: Keys of the texts that end each worker that scores them.
        tasks: What each task has done that scored texts of this run.
    """

    messages: DataFrame
    rows: DataFrame
    scored: int
    reused: int
    engines: list[str]
    unscorable: list[str]
    tasks: list[TaskReport]


def score_night(
    spark: SparkSession,
    context: RunContext,
    warehouse: Warehouse,
    artifact: Artifact,
    scorer: Scorer,
    accepted: DataFrame,
    accepted_rows: int,
    staging: Folder,
) -> NightScores:
    """Score the distinct texts of the accepted messages that no earlier run has scored, and remember them.

    They are added to `text_scores` at once: what fails later in the night does not have to be paid twice.

    Args:
        spark: The session.
        context: The run.
        warehouse: Holds the scores of earlier runs.
        artifact: The model.
        scorer: Scores by it.
        accepted: Rows of `checked_schema()` without reasons.
        accepted_rows: How many there are.
        staging: Takes what is written on the way.
    """
    reuse = context.settings.scores.reuse
    if reuse == "history" and not _takes_files(warehouse.data_folder(TEXT_SCORES, context.run_id)):
        log.warning("run_id=%s %s takes no files, every text is scored", context.run_id, TEXT_SCORES)
        reuse = "night"
    messages = with_text_key(accepted, shared=reuse != "off")
    known = staging / "known"
    new = warehouse.data_folder(TEXT_SCORES, context.run_id) if reuse == "history" else staging / "new"

    keys = messages.select("text_key")
    if accepted_rows <= FEW_ROWS:
        keys = F.broadcast(keys)  # the history may be long
    reused = find_known(spark, context, warehouse, artifact, keys, known) if reuse == "history" else 0
    texts = distinct_texts(messages)
    if reused:
        texts = new_texts(texts, read_rows(spark, known, scores_schema()))
    rows_per_task = context.settings.classifier.rows_per_task
    left = accepted_rows - reused
    # Counted now, not at the start: executors of a cluster come one by one. One task needs no count.
    cores = parallelism(spark) if worthwhile_tasks(left, rows_per_task) > 1 else 1
    tasks = scoring_tasks(left, cores, rows_per_task)
    scored, told = score_new(context, scorer, texts, tasks, new)
    engines = values_of(new, "engine")
    unscorable = take_out_nulls(new, "engine", "text_key") if None in engines else []
    scored -= len(unscorable)
    if reuse == "history":
        remember(context, warehouse, artifact, scored)

    written = [read_rows(spark, folder, scores_schema()) for folder, rows in ((new, scored), (known, reused)) if rows]
    rows = reduce(DataFrame.union, written) if written else spark.createDataFrame([], scores_schema())
    return NightScores(messages, rows, scored, reused, sorted(filter(None, engines)), unscorable, told)


def _takes_files(folder: Folder) -> bool:
    """Tell whether a folder can be made."""
    try:
        folder.system.create_dir(folder.path, recursive=True)
        folder.remove()
    except Exception:  # whatever it is, the night does without
        return False
    return True


def find_known(
    spark: SparkSession,
    context: RunContext,
    warehouse: Warehouse,
    artifact: Artifact,
    keys: DataFrame,
    folder: Folder,
) -> int:
    """Write the scores that earlier runs have of the night's texts to `folder`, and return of how many texts.

    `text_scores` saves time and no more: a night that cannot read it scores every text.
    """
    try:
        history = warehouse.known_scores(spark, artifact.fingerprint)
        if history is None:
            return 0
        days = context.settings.scores.history_days
        since = context.window.first - timedelta(days=days) if days else None
        return write_rows(known_scores(history, keys, context.settings.classifier.precision, since), folder)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of delta-rs is no Exception
        reason = type(error).__name__
        log.warning("run_id=%s %s cannot be read (%s), every text is scored", context.run_id, TEXT_SCORES, reason)
        folder.remove()
        return 0


def score_new(
    context: RunContext, scorer: Scorer, texts: DataFrame, tasks: int, folder: Folder
) -> tuple[int, list[TaskReport]]:
    """Score texts in `tasks` tasks, into `folder`; a text that cannot be scored has no scores there.

    Returns:
        How many texts there were, and what each task tells of its work. That comes by the metrics of Spark's plan:
        those of tasks that have failed are not in it.
    """

    def write(by: Scorer) -> tuple[int, list[TaskReport]]:
        seen = Observation()
        scored = score(texts, by, context.settings.classifier.precision, tasks)
        observed = scored.observe(seen, F.array_join(F.collect_list("work"), "\n").alias("work")).drop("work")
        with_run = with_origin(observed, context.window.last, context.run_id)
        # A task's scores are a small file, and a large night has thousands of tasks.
        rows = write_rows(with_run.hint("rebalance") if tasks > 1 else with_run, folder)
        # Of an empty plan Spark observes nothing.
        return rows, read_reports(seen.get["work"].splitlines()) if rows else []

    return with_care(context, scorer, write, folder.remove)


def remember(context: RunContext, warehouse: Warehouse, artifact: Artifact, scored: int) -> None:
    """Add the texts that this run has scored to `text_scores`; a night that cannot is the same night."""
    if not scored:
        # Spark writes a file without rows, which no table would ever list.
        warehouse.data_folder(TEXT_SCORES, context.run_id).remove()
        return
    try:
        reason = "" if warehouse.remember_scores(context.run_id, artifact.fingerprint) else "other writers came first"
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of delta-rs is no Exception
        reason = type(error).__name__
    if reason:
        log.warning("run_id=%s %s takes no commit (%s), texts are scored again", context.run_id, TEXT_SCORES, reason)


def scoring_tasks(rows: int, cores: int, rows_per_task: int) -> int:
    """Return how many tasks to score in: whole rounds of all cores, fewer when there is little to do.

    Args:
        rows: Texts to score, at most.
        cores: Tasks that run at once.
        rows_per_task: The most rows that one task should hold, as long as no core has more than a hundred tasks.
    """
    rounds = min(_MOST_ROUNDS, max(1, math.ceil(rows / (cores * rows_per_task))))
    return min(rounds * cores, worthwhile_tasks(rows, rows_per_task))


def worthwhile_tasks(rows: int, rows_per_task: int) -> int:
    """Return how many tasks so few rows are worth, on however many cores: each task starts a worker."""
    return max(1, math.ceil(rows / min(rows_per_task, _LEAST_ROWS_PER_TASK)))
