"""The pandas UDF: each Python worker holds one classifier and feeds it in large batches."""

from __future__ import annotations

import ctypes
import gc
import io
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import BooleanType, FloatType, IntegerType, StringType, StructField, StructType

from emotion_udf.classifier.artifact import Artifact, open_artifact
from emotion_udf.classifier.scores import NO_SCORES, Scores
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import EmotionUdfError
from emotion_udf.workers.archives import as_unpacked
from emotion_udf.workers.careful import PART_ROWS, Careful
from emotion_udf.workers.process import ScoringProcess, unscorable
from emotion_udf.workers.report import RowCount, TaskReport
from emotion_udf.workers.spec import WorkerSpec
from emotion_udf.workers.watchdog import start_watchdog

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.udf import UserDefinedFunction

    from emotion_udf.classifier.classifier import Classifier
    from emotion_udf.settings.classifier import ClassifierSettings

log = logging.getLogger(__name__)

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
"""The type of the UDF's result. Every field is null for a null text, and for one that cannot be scored."""

REPORTING_TYPE = StructType([*SCORE_TYPE, StructField("work", StringType())])
"""The same for the jobs of this project: the last row of each task tells what it has done (see `workers.report`)."""

# A chunk of long reviews closes early: its tokens are held in memory, some 100 bytes each.
_CHUNK_CHARS = 8_000_000


def make_emotion_udf(settings: ClassifierSettings | None = None) -> UserDefinedFunction:
    """Make a pandas UDF (Iterator[Series] -> Iterator[DataFrame]) that labels texts with an emotion.

    It takes a string column and returns a struct of `SCORE_TYPE`: emotion, confidence, the six probabilities, the
    token count and how many of them are unknown, whether the text was truncated, and the engine. A null text gives
    nulls. It is marked nondeterministic so that Spark evaluates it once where a plan filters on its result.

    A task that is tried again scores in a process of its own (`workers.careful`). A text that ends that process each
    time gives nulls too, so no single text fails a job.

    Args:
        settings: The classifier to use; the bundled one by default.

    Raises:
        ModelError: The settings name no usable model.
    """
    from emotion_udf.settings.classifier import ClassifierSettings

    settings = settings or ClassifierSettings()
    return udf_of(spec_of(open_artifact(as_unpacked(settings.source)), settings, reports=False))


def spec_of(artifact: Artifact, settings: ClassifierSettings, reports: bool = True) -> WorkerSpec:
    """Return what workers need to score by an artifact that is already open; the jobs of this project want reports."""
    return WorkerSpec(
        source=settings.source,
        fingerprint=artifact.fingerprint,
        device=settings.device,
        precision=settings.precision,
        token_budget=settings.token_budget,
        chunk_rows=settings.chunk_rows,
        tells=log.isEnabledFor(logging.INFO),
        reports=reports,
    )


def udf_of(spec: WorkerSpec) -> UserDefinedFunction:
    """Make the UDF of a spec (see `make_emotion_udf`); where it reports, the result is of `REPORTING_TYPE`."""
    returned = REPORTING_TYPE if spec.reports else SCORE_TYPE

    def emotion(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        return score_batches(batches, spec)

    udf: UserDefinedFunction = pandas_udf(emotion, returned).asNondeterministic()  # type: ignore[call-overload]
    return udf


def register_emotion_udf(
    spark: SparkSession, settings: ClassifierSettings | None = None, name: str = "emotion"
) -> UserDefinedFunction:
    """Register the UDF under a SQL name: `SELECT emotion(text).emotion FROM feedback`."""
    udf = make_emotion_udf(settings)
    spark.udf.register(name, udf)
    return udf


def score_batches(batches: Iterator[pd.Series], spec: WorkerSpec) -> Iterator[pd.DataFrame]:
    """Score a stream of Arrow batches chunk by chunk; as many rows come out as go in, in their order.

    Raises:
        EmotionUdfError: The model or the device cannot be used, or no worker can be kept alive.
        UnscorableError: Another error of the model's, without its words: Spark logs them.
    """
    start_watchdog(spec.stopped_s)
    chunked = chunks(batches, spec.chunk_rows)
    first = next(chunked, None)
    if first is None:  # a task without rows loads no model
        return
    spec = replace(spec, source=as_unpacked(spec.source))  # a process of its own, below, does not know Spark's folders
    is_again = spec.carefully or _is_tried_again()
    score = _score_carefully if is_again else _score
    report = TaskReport.begin(is_again)
    started = perf_counter()
    count = RowCount()
    output: list[io.BufferedWriter] | None = None
    try:
        for frame in score(count.take(chain([first], chunked)), spec, report):
            is_last = count.is_last(frame)
            if spec.reports:
                frame["work"] = _work(frame, report.line(perf_counter() - started) if is_last else None)
            yield frame
            if output is None:
                output = open_writers()
            for writer in output:  # pyspark keeps 64 KiB back, a dozen windows of long texts: Spark would hear nothing
                writer.flush()
            trim_heap()
    except (EmotionUdfError, GeneratorExit, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the tokenizer's Rust is no Exception
        raise unscorable(error) from None


def _score(chunked: Iterator[pd.Series], spec: WorkerSpec, report: TaskReport) -> Iterator[pd.DataFrame]:
    """Score in this process, which lasts as long as Spark has tasks for it."""
    classifier = _classifier_for(spec, report)
    report.engine = classifier.engine_name
    waiting: deque[pd.Series] = deque()  # rows whose scores are still to come

    def texts() -> Iterator[list[str]]:
        for chunk in chunked:
            waiting.append(chunk)
            yield chunk[chunk.notna()].tolist()

    for scores in classifier.score_chunks(texts()):
        report.scored(scores)
        chunk = waiting.popleft()
        rows = rows_of_texts(chunk, len(scores.token_counts))
        yield to_frame(chunk.iloc[:rows], scores, classifier.engine_name)
        if rows < len(chunk):
            waiting.appendleft(chunk.iloc[rows:])


def _score_carefully(chunked: Iterator[pd.Series], spec: WorkerSpec, report: TaskReport) -> Iterator[pd.DataFrame]:
    """Score in a process that may end, and leave out the texts that end it."""
    _cached.clear()  # this worker may have held a model for other tasks
    with closing(ScoringProcess(spec, _assigned_gpus(), report)) as process:

        def score(texts: Sequence[str | None]) -> Scores:
            return process.score([text for text in texts if text is not None])

        careful = Careful(score)
        for chunk in _ahead(chunked):
            texts = chunk.astype(object).where(chunk.notna(), None).tolist()
            for start in range(0, len(texts), PART_ROWS):
                for part, scores in careful.answers(texts[start : start + PART_ROWS]):
                    report.scored(scores or NO_SCORES)
                    report.engine = process.engine_name
                    rows = pd.Series(part if scores else [None], dtype=object)
                    yield to_frame(rows, scores or NO_SCORES, process.engine_name)


def _ahead(chunked: Iterator[pd.Series]) -> Iterator[pd.Series]:
    """Read a chunk ahead, so that the input has ended when the last one is passed on."""
    waiting = next(chunked, None)
    for chunk in chunked:
        yield waiting
        waiting = chunk
    if waiting is not None:
        yield waiting


def _work(rows: pd.DataFrame, told: str | None) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Return the column `work` of some rows: what the last of them tells, and nothing for the others."""
    work = np.full(len(rows), None, dtype=object)
    if told:
        work[-1] = told
    return work


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


def rows_of_texts(chunk: pd.Series, texts: int) -> int:
    """Return how many rows of a chunk hold its first `texts` texts; the nulls behind them go along."""
    return int(chunk.notna().cumsum().searchsorted(texts, side="right"))


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


def open_writers() -> list[io.BufferedWriter]:
    """Return this process's buffered files that are open for writing; in a worker, its connection to Spark is one."""
    return [found for found in gc.get_objects() if type(found) is io.BufferedWriter and not found.closed]


_cached: dict[tuple[WorkerSpec, tuple[str, ...]], Classifier] = {}
"""The classifier of this Python worker. Spark ends idle workers after a minute, so expect it to be loaded anew."""


def _classifier_for(spec: WorkerSpec, report: TaskReport) -> Classifier:
    """Return this worker's classifier; load it when the model or the device is another than last time."""
    key = (spec, _assigned_gpus())
    if key not in _cached:
        _cached.clear()  # before the load, so that a worker never holds two models (an lru_cache would)
        started = perf_counter()
        _cached[key] = spec.load(key[1])
        report.loaded(perf_counter() - started, _cached[key].opening_s)
    return _cached[key]


def _is_tried_again() -> bool:
    """Tell whether the running task has failed before: its worker may have ended over one of its texts."""
    from pyspark import TaskContext

    task = TaskContext.get()
    return task is not None and task.attemptNumber() > 0


def _assigned_gpus() -> tuple[str, ...]:
    """Return the GPU addresses that Spark gave the running task; none in local mode and outside Spark."""
    from pyspark import TaskContext

    task = TaskContext.get()
    if task is None:
        return ()
    gpu = task.resources().get("gpu")
    return tuple(gpu.addresses) if gpu else ()


__all__ = ["REPORTING_TYPE", "SCORE_TYPE", "make_emotion_udf", "register_emotion_udf", "spec_of", "udf_of"]
