"""The pandas UDF: each Python worker holds one classifier and feeds it in large batches."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import BooleanType, FloatType, IntegerType, StringType, StructField, StructType

from emotion_udf.classifier.artifact import Artifact, ArtifactSource, open_artifact
from emotion_udf.classifier.device import Device, Precision
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import ModelError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.udf import UserDefinedFunction

    from emotion_udf.classifier.classifier import Classifier, Scores
    from emotion_udf.settings.classifier import ClassifierSettings

SCORE_TYPE = StructType(
    [
        StructField("emotion", StringType()),
        StructField("confidence", FloatType()),
        *(StructField(emotion, FloatType()) for emotion in EMOTIONS),
        StructField("token_count", IntegerType()),
        StructField("unknown_token_count", IntegerType()),
        StructField("is_truncated", BooleanType()),
        StructField("engine", StringType()),
    ]
)
"""The type of the UDF's result; every field is null for a null text."""

# A chunk of long reviews closes early: its tokens are held in memory, some 100 bytes each.
_CHUNK_CHARS = 8_000_000


@dataclass(frozen=True)
class WorkerSpec:
    """The settings that a Python worker is sent; small and picklable, the weights stay in their folder.

    Attributes:
        source: The place of the model folder.
        fingerprint: Digest of that folder as the driver saw it.
        device: `auto`, `cpu` or `cuda`.
        precision: `auto`, `fp32`, `bf16`, `fp16` or `int16`.
        token_budget: The most tokens in one forward pass; None for the device's default.
        chunk_rows: Rows to gather before batches are cut by length, over the borders of Arrow batches.
    """

    source: ArtifactSource
    fingerprint: str
    device: Device
    precision: Precision
    token_budget: int | None
    chunk_rows: int


def make_emotion_udf(settings: ClassifierSettings | None = None) -> UserDefinedFunction:
    """Make a pandas UDF (Iterator[Series] -> Iterator[DataFrame]) that labels texts with an emotion.

    It takes a string column and returns a struct of `SCORE_TYPE`: emotion, confidence, the six probabilities, the
    token count and how many of them are unknown, whether the text was truncated, and the engine. A null text gives
    nulls. It is marked nondeterministic so that Spark evaluates it once where a plan filters on its result.

    Args:
        settings: The classifier to use; the bundled one by default.

    Raises:
        ModelError: The settings name no usable model.
    """
    from emotion_udf.settings.classifier import ClassifierSettings

    settings = settings or ClassifierSettings()
    return udf_of(open_artifact(settings.source), settings)


def udf_of(artifact: Artifact, settings: ClassifierSettings) -> UserDefinedFunction:
    """Make the UDF of an artifact that is already open (see `make_emotion_udf`)."""
    spec = WorkerSpec(
        source=settings.source,
        fingerprint=artifact.fingerprint,
        device=settings.device,
        precision=settings.precision,
        token_budget=settings.token_budget,
        chunk_rows=settings.chunk_rows,
    )

    def emotion(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        return score_batches(batches, spec)

    udf: UserDefinedFunction = pandas_udf(emotion, SCORE_TYPE).asNondeterministic()  # type: ignore[call-overload]
    return udf


def register_emotion_udf(
    spark: SparkSession, settings: ClassifierSettings | None = None, name: str = "emotion"
) -> UserDefinedFunction:
    """Register the UDF under a SQL name: `SELECT emotion(text).emotion FROM feedback`."""
    udf = make_emotion_udf(settings)
    spark.udf.register(name, udf)
    return udf


def score_batches(batches: Iterator[pd.Series], spec: WorkerSpec) -> Iterator[pd.DataFrame]:
    """Score a stream of Arrow batches chunk by chunk; as many rows come out as go in, in their order."""
    chunked = chunks(batches, spec.chunk_rows)
    first = next(chunked, None)
    if first is None:  # a task without rows loads no model
        return
    classifier = _classifier_for(spec)
    scored: deque[pd.Series] = deque()  # chunks whose scores are still to come

    def texts() -> Iterator[list[str]]:
        for chunk in chain([first], chunked):
            scored.append(chunk)
            yield chunk[chunk.notna()].tolist()

    for scores in classifier.score_chunks(texts()):
        yield to_frame(scored.popleft(), scores, classifier.engine_name)
        trim_heap()


def chunks(batches: Iterator[pd.Series], chunk_rows: int) -> Iterator[pd.Series]:
    """Join small batches until `chunk_rows` rows or `_CHUNK_CHARS` are together; the last chunk may be smaller."""
    waiting: list[pd.Series] = []
    rows = chars = 0
    for batch in batches:
        waiting.append(batch)
        rows += len(batch)
        chars += int(batch.str.len().sum())
        if rows >= chunk_rows or chars >= _CHUNK_CHARS:
            yield pd.concat(waiting, ignore_index=True)
            waiting = []
            rows = chars = 0
    if rows:
        yield pd.concat(waiting, ignore_index=True)


def to_frame(texts: pd.Series, scores: Scores, engine: str) -> pd.DataFrame:
    """Return one row of `SCORE_TYPE` for each text; nulls where the text is null.

    Args:
        texts: The chunk that was scored.
        scores: Scores of its texts that are not null, in their order.
        engine: The name of the engine.
    """
    present = texts.notna().to_numpy()
    columns: dict[str, object] = {
        "emotion": np.array(EMOTIONS, dtype=object)[scores.probabilities.argmax(axis=1)],
        "confidence": scores.probabilities.max(axis=1, initial=0.0),
        **{emotion: scores.probabilities[:, i] for i, emotion in enumerate(EMOTIONS)},
        "token_count": pd.array(scores.token_counts, dtype="Int32"),
        "unknown_token_count": pd.array(scores.unknown_counts, dtype="Int32"),
        "is_truncated": pd.array(scores.is_truncated, dtype="boolean"),
        "engine": np.full(len(scores.token_counts), engine, dtype=object),
    }
    scored = pd.DataFrame(columns, index=texts.index[present])
    return scored if present.all() else scored.reindex(texts.index)


def trim_heap() -> bool:
    """Return free pages of the heap to the system, and tell whether any were returned.

    By itself glibc returns only the end of its heap. Spark's worker reads each Arrow batch into one `bytes` object
    there, no two of one size, so each leaves a hole that the next may not fit into: tens of MiB over a million rows.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone; other allocators return pages themselves
    return trim is not None and bool(trim(0))


_cached: dict[tuple[object, ...], Classifier] = {}
"""The classifier of this Python worker. Spark ends idle workers after a minute, so expect it to be loaded anew."""


def _classifier_for(spec: WorkerSpec) -> Classifier:
    """Return this worker's classifier; load it when the model or the device is another than last time."""
    from emotion_udf.classifier.classifier import load_classifier  # torch is loaded in workers only

    gpus = _assigned_gpus()
    key = (spec.fingerprint, spec.device, spec.precision, spec.token_budget, gpus)
    if key not in _cached:
        artifact = open_artifact(spec.source)
        if artifact.fingerprint != spec.fingerprint:
            raise ModelError(
                f"expected the model {spec.fingerprint} that the driver opened, found {artifact.fingerprint} in "
                f"{artifact.folder} on this worker; give every node the same model folder"
            )
        # Spark tells a worker how many threads its task has; the tokenizer would take one for every core.
        os.environ.setdefault("RAYON_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", ""))
        _cached.clear()  # before the load, so that a worker never holds two models (an lru_cache would)
        _cached[key] = load_classifier(artifact, spec.device, spec.token_budget, gpus, spec.precision)
    return _cached[key]


def _assigned_gpus() -> tuple[str, ...]:
    """Return the GPU addresses that Spark gave the running task; none in local mode and outside Spark."""
    from pyspark import TaskContext

    task = TaskContext.get()
    if task is None:
        return ()
    gpu = task.resources().get("gpu")
    return tuple(gpu.addresses) if gpu else ()


__all__ = ["SCORE_TYPE", "make_emotion_udf", "register_emotion_udf", "udf_of"]
