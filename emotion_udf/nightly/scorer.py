"""How a night has texts scored: by the UDF in a column, or by a stage of its own kind, whose tasks ask for GPUs."""

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

import pandas as pd
from pyspark.resource import ResourceProfile, ResourceProfileBuilder, TaskResourceRequests
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType
from pyspark.sql.udf import UserDefinedFunction

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.errors import UsageError
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.udf import REPORTING_TYPE, score_batches, spec_of, udf_of
from emotion_udf.workers.spec import WorkerSpec

log = logging.getLogger(__name__)

_GPUS_OF_EXECUTOR: Final = "spark.executor.resource.gpu.amount"
_WITH_PROFILES: Final = ("spark://", "yarn", "k8s://", "local-cluster")
"""The masters whose stages can ask for other resources than the rest of the job."""


@dataclass(frozen=True)
class Scorer:
    """Scores texts by a model: a key and `text` -> the key and the fields of `REPORTING_TYPE`, in one stage.

    Attributes:
        spec: What its workers need.
        profile: What each task of the stage asks Spark for; None for what the job's other tasks ask for.
    """

    spec: WorkerSpec
    profile: ResourceProfile | None = None

    def __call__(self, texts: DataFrame) -> DataFrame:
        """Score texts; as many rows come out as go in."""
        if self.profile is None:
            return by_column(texts, udf_of(self.spec))
        return _in_stage(texts, self.spec, self.profile)

    def with_care(self) -> Self:
        """Return one that outlives what it scores."""
        return replace(self, spec=replace(self.spec, carefully=True))


def scorer_of(spark: SparkSession, artifact: Artifact, settings: ClassifierSettings) -> Scorer:
    """Return what scores texts by a model.

    Where the settings name `task_gpus`, each of its tasks asks Spark for as much of a GPU, and no other task does: so
    an executor scores in as many tasks as its GPUs have room for, and does everything else with all of its cores.
    Spark takes such a request (a resource profile) with `mapInPandas`, not with a UDF in a column.

    Raises:
        UsageError: The settings ask for GPUs that Spark would never give.
    """
    return Scorer(spec_of(artifact, settings), gpu_profile(spark, settings.task_gpus))


def by_column(texts: DataFrame, udf: UserDefinedFunction) -> DataFrame:
    """Score texts by a UDF of `REPORTING_TYPE`."""
    key, _ = texts.columns
    return texts.select(key, udf("text").alias("score")).select(key, "score.*")


def gpu_profile(spark: SparkSession, gpus: float | None) -> ResourceProfile | None:
    """Return the request for GPUs of a task: a part of one, or several.

    Call it in the session's own thread, once a job: to Spark two requests that are equal are two all the same.

    Returns:
        None where nothing is asked for, and in local mode, which knows no such requests.

    Raises:
        UsageError: Executors have fewer GPUs by Spark's settings, or come and go by what there is to do.
    """
    if gpus is None:
        return None
    if not (spark.conf.get("spark.master", None) or "local").startswith(_WITH_PROFILES):
        log.info("classifier.task_gpus is left alone: local mode knows no such requests")
        return None
    found = spark.conf.get(_GPUS_OF_EXECUTOR, None) or "0"
    if float(found) < gpus:
        raise UsageError(
            f"expected {_GPUS_OF_EXECUTOR} of Spark to be at least classifier.task_gpus = {gpus:g}, found {found}; set "
            "it where Spark is started, or take task_gpus out of the settings"
        )
    if spark.conf.get("spark.dynamicAllocation.enabled", None) == "true":
        raise UsageError(
            "expected executors that stay, as classifier.task_gpus is set, found spark.dynamicAllocation.enabled = "
            "true; set it to false, or ask for GPUs by spark.task.resource.gpu.amount in place of task_gpus"
        )
    profile = ResourceProfileBuilder().require(TaskResourceRequests().resource("gpu", gpus)).build
    log.info("each scoring task asks for gpu=%g, by the resource profile %d", gpus, profile.id)
    return profile


def _in_stage(texts: DataFrame, spec: WorkerSpec, profile: ResourceProfile) -> DataFrame:
    key = texts.schema[0]

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        return with_keys(batches, key.name, spec)

    return texts.mapInPandas(score, StructType([key, *REPORTING_TYPE]), profile=profile)


def with_keys(batches: Iterator[pd.DataFrame], key: str, spec: WorkerSpec) -> Iterator[pd.DataFrame]:
    """Score batches of a key and `text`; the scores come in batches of their own, each row with its key."""
    waiting: deque[object] = deque()  # keys whose scores are still to come

    def texts() -> Iterator[pd.Series]:
        for batch in batches:
            waiting.extend(batch[key])
            yield batch["text"]

    for scores in score_batches(texts(), spec):
        scores.insert(0, key, [waiting.popleft() for _ in range(len(scores))])
        yield scores
