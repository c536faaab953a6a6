"""Two models on one window: the labels of the same messages, before anybody switches. Nothing is published."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emotion_udf.audit.changes import Change
from emotion_udf.classifier.artifact import Artifact, open_artifact
from emotion_udf.errors import EmotionUdfError, UsageError, from_worker
from emotion_udf.nightly.accepted import stage_accepted
from emotion_udf.nightly.context import RunContext, new_run_id
from emotion_udf.nightly.scorer import scorer_of
from emotion_udf.nightly.scoring import score_night
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.steps.label import label
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables.staging import staging_folder
from emotion_udf.tables.warehouse import Warehouse
from emotion_udf.window import Window
from emotion_udf.workers.archives import as_unpacked

_MESSAGE = ("event_date", "feedback_id")


@dataclass(frozen=True)
class Comparison:
    """The labels of two models on one window.

    Attributes:
        window: The days.
        old: The model of the settings.
        new: The other one.
        changes: How many messages have which labels by both.
        scored: Texts that each of the models had to score; the others had scores already.
    """

    window: Window
    old: Artifact
    new: Artifact
    changes: list[Change]
    scored: tuple[int, int]


def compare_models(
    spark: SparkSession,
    settings: NightSettings,
    other: ClassifierSettings,
    window: Window,
    warehouse: Warehouse,
) -> Comparison:
    """Label the messages of a window by two models.

    Texts that `text_scores` knows are not scored again. What is scored is added to it where `scores.reuse` is
    `history`, so that the first night of the new model has it. Staged texts are deleted at the end, or by the next
    night if this is killed.

    Args:
        spark: The session.
        settings: The night's settings, which name the old model.
        other: The new model.
        window: The days.
        warehouse: Holds the scores of earlier runs.

    Raises:
        UsageError: Both are the same model, or the input has no message of the window.
        InputError: The input does not meet its contract.
    """
    old, new = (open_artifact(as_unpacked(each.source)) for each in (settings.classifier, other))
    if old.fingerprint == new.fingerprint:
        raise UsageError(f"expected another model than that of the settings, found the same, {old.fingerprint}")
    # A run each, because the files of a run in `text_scores` are of one model.
    with _run(settings, window, warehouse) as (context, staging):
        messages, count = stage_accepted(spark, settings, window, staging / "accepted")
        if not count:
            raise UsageError(f"expected messages of {window} in the input, found none; name other days")
        by_old, scored_old = _labels(spark, context, warehouse, old, messages, count, staging)
        with_other = settings.model_copy(update={"classifier": other})
        with _run(with_other, window, warehouse) as (other_context, other_staging):
            by_new, scored_new = _labels(spark, other_context, warehouse, new, messages, count, other_staging)
            changes = _changes(by_old, by_new)
    return Comparison(window, old, new, changes, (scored_old, scored_new))


@contextmanager
def _run(settings: NightSettings, window: Window, warehouse: Warehouse) -> Iterator[tuple[RunContext, Folder]]:
    """Yield the context and the staging folder of a run that publishes nothing; leave only scores of it."""
    context = RunContext(settings, window, run_id=new_run_id(datetime.now(UTC)))
    with staging_folder(open_folder(settings.staging_root, settings.warehouse.timeout_s), context.run_id) as staging:
        try:
            yield context, staging
        except BaseException as error:
            warehouse.discard(context.run_id)
            known = None if isinstance(error, EmotionUdfError) else from_worker(str(error))
            if known:
                raise known from error
            raise


def _labels(
    spark: SparkSession,
    context: RunContext,
    warehouse: Warehouse,
    artifact: Artifact,
    messages: DataFrame,
    count: int,
    staging: Folder,
) -> tuple[DataFrame, int]:
    """Return the labels that a model gives, of `labels_schema()`, and how many texts it had to score."""
    scorer = scorer_of(spark, artifact, context.settings.classifier)
    scores = score_night(spark, context, warehouse, artifact, scorer, messages, count, staging)
    return label(scores.messages, scores.rows, context.settings, artifact, context.run_id), scores.scored


def _changes(by_old: DataFrame, by_new: DataFrame) -> list[Change]:
    """Count the messages by what both models say of them."""
    old = by_old.select(
        *_MESSAGE, "text_key", F.col("emotion").alias("old_emotion"), F.col("is_confident").alias("old_confident")
    )
    new = by_new.select(*_MESSAGE, F.col("emotion").alias("new_emotion"), F.col("is_confident").alias("new_confident"))
    labels = ["old_emotion", "old_confident", "new_emotion", "new_confident"]
    copies = old.join(new, on=list(_MESSAGE)).groupBy("text_key", *labels).agg(F.count("*").alias("copies"))
    counted = copies.groupBy(*labels).agg(
        F.sum("copies").alias("feedback_count"),
        F.count("*").alias("distinct_text_count"),
        F.sum(F.col("copies") * F.col("copies")).alias("squares"),
    )
    return [Change(**row.asDict()) for row in counted.orderBy(*labels).collect()]
