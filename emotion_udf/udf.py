"""The pandas UDF: each Python worker holds one classifier and feeds it in large batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import BooleanType, FloatType, IntegerType, StringType, StructField, StructType

from emotion_udf.classifier.artifact import Artifact, ArtifactSource, open_artifact
from emotion_udf.classifier.device import Device
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import ModelError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.udf import UserDefinedFunction

    from emotion_udf.classifier.classifier import Classifier
    from emotion_udf.settings import ClassifierSettings

SCORE_TYPE = StructType(
    [
        StructField("emotion", StringType()),
        StructField("confidence", FloatType()),
        *(StructField(emotion, FloatType()) for emotion in EMOTIONS),
        StructField("token_count", IntegerType()),
        StructField("is_truncated", BooleanType()),
    ]
)
"""What the UDF returns for a text; every field is null for a null text."""


@dataclass(frozen=True)
class WorkerSpec:
    """All that a Python worker needs to know; small and picklable, the weights stay in their folder.

    Args:
        source: Where the worker finds the model folder.
        fingerprint: What that folder must hold, as the driver saw it.
        device: `auto`, `cpu` or `cuda`.
        token_budget: The most tokens in one forward pass.
        window_rows: Rows to gather before batches are cut by length, over the borders of Arrow batches.
    """

    source: ArtifactSource
    fingerprint: str
    device: Device
    token_budget: int
    window_rows: int


def make_emotion_udf(settings: ClassifierSettings | None = None) -> UserDefinedFunction:
    """Make a pandas UDF (Iterator[Series] -> Iterator[DataFrame]) that labels texts with an emotion.

    It takes a string column and returns a struct of `SCORE_TYPE`: emotion, confidence, the six probabilities, the
    token count and whether the text was cut. A null text gives nulls. It is marked nondeterministic so that Spark
    evaluates it once where a plan filters on its result.

    Args:
        settings: The classifier to use; the bundled one by default.

    Raises:
        ModelError: The settings name no usable model.
    """
    from emotion_udf.settings import ClassifierSettings

    settings = settings or ClassifierSettings()
    return udf_of(open_artifact(settings.source), settings)


def udf_of(artifact: Artifact, settings: ClassifierSettings) -> UserDefinedFunction:
    """Make the UDF of an artifact that is already open (see `make_emotion_udf`)."""
    spec = WorkerSpec(
        source=settings.source,
        fingerprint=artifact.fingerprint,
        device=settings.device,
        token_budget=settings.token_budget,
        window_rows=settings.window_rows,
    )

    def emotion(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        return score_batches(batches, spec)

    made: UserDefinedFunction = pandas_udf(emotion, SCORE_TYPE).asNondeterministic()  # type: ignore[call-overload]
    return made


def register_emotion_udf(
    spark: SparkSession, settings: ClassifierSettings | None = None, name: str = "emotion"
) -> UserDefinedFunction:
    """Register the UDF under a SQL name: `SELECT emotion(text).emotion FROM feedback`."""
    made = make_emotion_udf(settings)
    spark.udf.register(name, made)
    return made


def score_batches(batches: Iterator[pd.Series], spec: WorkerSpec) -> Iterator[pd.DataFrame]:
    """Score a stream of Arrow batches window by window; as many rows come out as go in, in their order."""
    # Made at the first row: a task without rows loads no model.
    for window in windows(batches, spec.window_rows):
        yield score_window(window, _classifier_for(spec))


def windows(batches: Iterator[pd.Series], window_rows: int) -> Iterator[pd.Series]:
    """Join small batches until at least `window_rows` rows are together; the last window may be smaller."""
    waiting: list[pd.Series] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += len(batch)
        if rows >= window_rows:
            yield pd.concat(waiting, ignore_index=True)
            waiting, rows = [], 0
    if rows:
        yield pd.concat(waiting, ignore_index=True)


def score_window(texts: pd.Series, classifier: Classifier) -> pd.DataFrame:
    """Return one row of `SCORE_TYPE` for each text; nulls where the text is null."""
    present = texts.notna().to_numpy()
    scores = classifier.score(texts[present].tolist())
    columns: dict[str, object] = {
        "emotion": np.array(EMOTIONS, dtype=object)[scores.probabilities.argmax(axis=1)],
        "confidence": scores.probabilities.max(axis=1, initial=0.0),
        **{emotion: scores.probabilities[:, i] for i, emotion in enumerate(EMOTIONS)},
        "token_count": pd.array(scores.token_counts, dtype="Int32"),
        "is_truncated": pd.array(scores.is_truncated, dtype="boolean"),
    }
    scored = pd.DataFrame(columns, index=texts.index[present])
    return scored if present.all() else scored.reindex(texts.index)


_held: dict[tuple[str, str, tuple[str, ...]], Classifier] = {}
"""The classifier of this Python worker. Spark ends idle workers after a minute, so expect it to be loaded anew."""


def _classifier_for(spec: WorkerSpec) -> Classifier:
    """Return this worker's classifier, loading it when the model or the device is another than last time."""
    from emotion_udf.classifier.classifier import load_classifier  # torch is loaded in workers only

    gpus = _assigned_gpus()
    key = (spec.fingerprint, spec.device, gpus)
    if key not in _held:
        artifact = open_artifact(spec.source)
        if artifact.fingerprint != spec.fingerprint:
            raise ModelError(
                f"expected the model {spec.fingerprint} that the driver opened, found {artifact.fingerprint} in "
                f"{artifact.folder} on this worker; give every node the same model folder"
            )
        _held.clear()  # one model a worker: memory stays bounded when the night changes models
        _held[key] = load_classifier(artifact, spec.device, spec.token_budget, gpus)
    classifier = _held[key]
    classifier.token_budget = spec.token_budget
    return classifier


def _assigned_gpus() -> tuple[str, ...]:
    """Return the GPU addresses that Spark gave the running task; none in local mode and outside Spark."""
    from pyspark import TaskContext

    task = TaskContext.get()
    if task is None:
        return ()
    gpu = task.resources().get("gpu")
    return tuple(gpu.addresses) if gpu else ()


__all__ = ["SCORE_TYPE", "make_emotion_udf", "register_emotion_udf", "udf_of"]
