"""The score step of a night: what is known is not asked again, and the rest goes through the pandas UDF once."""

import logging
import math
from dataclasses import dataclass
from functools import reduce

from deltalake.exceptions import CommitFailedError
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.nightly.run import Run
from emotion_udf.schemas import TEXT_SCORES, scores_schema
from emotion_udf.session import parallelism
from emotion_udf.steps.reuse import known_scores, new_texts, with_origin
from emotion_udf.steps.score import distinct_texts, score
from emotion_udf.storage import Folder
from emotion_udf.tables.delta import DeltaWarehouse
from emotion_udf.tables.parquet import read_rows, values_of, write_rows
from emotion_udf.tables.text_scores import append_scores, list_scores
from emotion_udf.udf import udf_of

log = logging.getLogger(__name__)

# A worker's start costs seconds, so a task is worth it from about so many rows on.
_LEAST_ROWS_PER_TASK = 1_000


@dataclass(frozen=True)
class NightScores:
    """The scores of a night's texts, one row a text.

    Args:
        rows: Of `scores_schema()`, read from what was written.
        fresh: Texts that this run scored.
        reused: Texts that an earlier run had scored.
        engines: What scored the fresh ones.
    """

    rows: DataFrame
    fresh: int
    reused: int
    engines: list[str]


def score_night(
    spark: SparkSession,
    run: Run,
    artifact: Artifact,
    warehouse: DeltaWarehouse,
    staging: Folder,
    accepted: DataFrame,
    accepted_rows: int,
) -> NightScores:
    """Score the distinct texts of the accepted messages that no earlier run has scored, and remember them.

    They are added to `text_scores` at once: what fails later in the night does not have to be paid twice.
    """
    remember = run.settings.scores.reuse == "history"
    known, new = staging / "known", warehouse.data_folder(TEXT_SCORES, run.run_id) if remember else staging / "new"
    reused = _find_known(spark, run, artifact, warehouse, accepted, known) if remember else 0
    texts = distinct_texts(accepted)
    if reused:
        texts = new_texts(texts, read_rows(spark, known, scores_schema()))
    settings = run.settings.classifier
    tasks = scoring_tasks(accepted_rows - reused, parallelism(spark), settings.rows_per_task)
    scored = score(texts, udf_of(artifact, settings), tasks)
    fresh = write_rows(with_origin(scored, run.window.last, run.run_id) if remember else scored, new)
    engines = values_of(new, "engine")
    if remember and fresh:
        _remember(run, artifact, warehouse)
    if remember and not fresh:
        new.remove()  # Spark writes a file without rows, which no table would ever list
    written = [folder for folder, rows in ((new, fresh), (known, reused)) if rows]
    rows = [read_rows(spark, folder, scores_schema()) for folder in written]
    return NightScores(
        reduce(DataFrame.union, rows, spark.createDataFrame([], scores_schema())), fresh, reused, engines
    )


def scoring_tasks(rows: int, cores: int, rows_per_task: int) -> int:
    """Return how many tasks to score in: whole rounds of all cores, fewer when there is little to do.

    Args:
        rows: Texts to score, at most.
        cores: Tasks that run at once.
        rows_per_task: The most rows that one task should hold.
    """
    rounds = max(1, math.ceil(rows / (cores * rows_per_task)))
    worthwhile = math.ceil(rows / min(rows_per_task, _LEAST_ROWS_PER_TASK))
    return max(1, min(rounds * cores, worthwhile))


def _find_known(
    spark: SparkSession, run: Run, artifact: Artifact, warehouse: DeltaWarehouse, accepted: DataFrame, folder: Folder
) -> int:
    """Write the scores that earlier runs have for the night's texts, and return of how many.

    `text_scores` saves time and no more: a night that cannot read it scores every text.
    """
    try:
        files = list_scores(warehouse, artifact.fingerprint)
        if not files:
            return 0
        history = spark.read.schema(scores_schema()).parquet(*files)
        return write_rows(known_scores(history, accepted, run.settings.classifier.precision), folder)
    except Exception as error:
        kind = type(error).__name__
        log.warning("run_id=%s %s cannot be read (%s), every text is scored", run.run_id, TEXT_SCORES, kind)
        folder.remove()
        return 0


def _remember(run: Run, artifact: Artifact, warehouse: DeltaWarehouse) -> None:
    try:
        append_scores(warehouse, run.run_id, artifact.fingerprint)
    except CommitFailedError as error:
        log.warning("run_id=%s %s takes no commit (%s)", run.run_id, TEXT_SCORES, type(error).__name__)
