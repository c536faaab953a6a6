"""How a night has texts scored: by the UDF in a column, or by a stage of its own kind, whose tasks ask for GPUs."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final, TypeAlias

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

Scorer: TypeAlias = Callable[[DataFrame], DataFrame]
"""Rows of a key and `text` -> a row of the key and the fields of `REPORTING_TYPE` for each, in one stage."""

_GPUS_OF_EXECUTOR: Final = "spark.executor.resource.gpu.amount"
_WITH_PROFILES: Final = ("spark://", "yarn", "k8s://", "local-cluster")
"""The masters whose stages can ask for other resources than the rest of the job."""


def scorer_of(artifact: Artifact, settings: ClassifierSettings, carefully: bool = False) -> Scorer:
    """Return what scores texts by a model.

    Where the settings name `task_gpus`, each of its tasks asks Spark for as much of a GPU, and no other task does: so
    an executor scores in as many tasks as its GPUs have room for, and does everything else with all of its cores.
    Spark takes such a request (a resource profile) with `mapInPandas`, not with a UDF in a column.

    Args:
        artifact: The model.
        settings: How to use it.
        carefully: Score in a process of its own from the first try on.
    """

    def score(texts: DataFrame) -> DataFrame:
        profile = gpu_profile(texts.sparkSession, settings.task_gpus)
        if profile is None:
            return by_column(udf_of(artifact, settings, carefully))(texts)
        return _in_stage(texts, spec_of(artifact, settings, carefully), profile)

    return score


def by_column(udf: UserDefinedFunction) -> Scorer:
    """Return what scores texts by a UDF of `REPORTING_TYPE`."""

    def score(texts: DataFrame) -> DataFrame:
        key, _ = texts.columns
        return texts.select(key, udf("text").alias("score")).select(key, "score.*")

    return score


def gpu_profile(spark: SparkSession, gpus: float | None) -> ResourceProfile | None:
    """Return the request for GPUs of a task: a part of one, or several.

    Returns:
        None where nothing is asked for, and in local mode, which knows no such requests.

    Raises:
        UsageError: Executors have no GPUs, by Spark's settings: their tasks would wait for ever.
    """
    if gpus is None:
        return None
    if not (spark.conf.get("spark.master", None) or "local").startswith(_WITH_PROFILES):
        log.info("classifier.task_gpus is left alone: local mode knows no such requests")
        return None
    if not spark.conf.get(_GPUS_OF_EXECUTOR, None):
        raise UsageError(
            f"expected {_GPUS_OF_EXECUTOR} in Spark's settings, as classifier.task_gpus = {gpus:g} asks for a part of "
            "them, found none; set it where Spark is started, or take task_gpus out of the settings"
        )
    return _profile(gpus)


@cache
def _profile(gpus: float) -> ResourceProfile:
    """Return one profile for all stages: to Spark two that are equal are two kinds of executors."""
    return ResourceProfileBuilder().require(TaskResourceRequests().resource("gpu", gpus)).build


def _in_stage(texts: DataFrame, spec: WorkerSpec, profile: ResourceProfile) -> DataFrame:
    key = texts.schema[0]

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        return with_keys(batches, key.name, spec)

    return texts.mapInPandas(score, StructType([key, *REPORTING_TYPE]), profile=profile)


def with_keys(batches: Iterator[pd.DataFrame], key: str, spec: WorkerSpec) -> Iterator[pd.DataFrame]:
    """Score batches of a key and `text`; the scores come in batches of their own, each row with its key."""
    waiting: deque[pd.Series] = deque()  # keys whose scores are still to come

    def texts() -> Iterator[pd.Series]:
        for batch in batches:
            waiting.append(batch[key])
            yield batch["text"]

    for scores in score_batches(texts(), spec):
        taken: list[pd.Series] = []
        left = len(scores)
        while left:
            keys = waiting.popleft()
            taken.append(keys.iloc[:left])
            if left < len(keys):
                waiting.appendleft(keys.iloc[left:])
            left -= len(taken[-1])
        scores.insert(0, key, pd.concat(taken).to_numpy() if taken else [])
        yield scores
