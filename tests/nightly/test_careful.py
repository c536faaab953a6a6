"""Nights in which Python workers end: over one text each time, over all, or because somebody stops them."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from deltalake import DeltaTable
from pyspark.sql import Row, SparkSession
from pyspark.sql.pandas.functions import pandas_udf

from emotion_udf.classifier.artifact import Artifact, ArtifactSource, open_artifact
from emotion_udf.errors import ModelError, WorkerError
from emotion_udf.nightly.careful import with_care
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.schemas import LABELS, QUARANTINE, RUNS, TEXT_SCORES
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.nightly import GateSettings, NightSettings, TermSettings, WarehouseSettings
from emotion_udf.udf import SCORE_TYPE, score_batches
from emotion_udf.window import Window
from emotion_udf.workers.spec import WorkerSpec
from tests.helpers.messages import DAY, input_settings, message, write_messages
from tests.helpers.poison import BrokenSpec, PoisonedSpec, SlowSpec

CRASHED = "Lost task 0.0: Python worker exited unexpectedly (crashed)."


def night(folder: Path) -> NightSettings:
    return NightSettings(
        input=input_settings(folder / "in"),
        classifier=ClassifierSettings(precision="fp32"),
        warehouse=WarehouseSettings(root=str(folder / "out")),
        terms=TermSettings(enabled=False),
        gate=GateSettings(max_quarantined_share=0.5),
    )


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    return list(DeltaTable(folder / "out" / table).to_pyarrow_table().to_pylist())


def write_feed(folder: Path, good: int, bad: dict[str, str | None]) -> None:
    fine = [message(f"m{n}", f"i feel number {n} of all") for n in range(good)]
    write_messages(folder / "in/1.parquet", [*fine, *(message(id_, text) for id_, text in bad.items())])


@pytest.fixture
def workers_get(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[WorkerSpec]], None]:
    return lambda spec: monkeypatch.setattr("emotion_udf.udf.WorkerSpec", spec)


@pytest.mark.slow
def test_texts_that_end_their_worker_are_in_quarantine_and_the_rest_is_labelled(
    spark: SparkSession,
    tmp_path: Path,
    day: Window,
    workers_get: Callable[[type[WorkerSpec]], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad: dict[str, str | None] = {"a": "so poison-segv it is", "b": "so poison-segv it is", "c": "a poison-raise"}
    write_feed(tmp_path, 40, bad | {"d": None})
    workers_get(PoisonedSpec)
    run = run_night(spark, night(tmp_path), day)

    assert (run.rows_read, run.rows_labelled, run.rows_quarantined, run.distinct_texts) == (44, 40, 4, 40)
    assert run.engines == ["torch fp32 on cpu"]
    assert {row["feedback_id"] for row in rows(tmp_path, LABELS)} == {f"m{n}" for n in range(40)}
    quarantine = {row["feedback_id"]: row for row in rows(tmp_path, QUARANTINE)}
    error = ["model_error"]
    assert {id_: row["reasons"] for id_, row in quarantine.items()} == {
        "a": error, "b": error, "c": error, "d": ["missing_text"],
    }  # fmt: skip
    for text in ('"feedback_id":"c"', '"text":"a poison-raise"', '"source":"tweet"', '"created_at":"2026-10-05T12'):
        assert text in quarantine["c"]["raw"]
    assert quarantine["c"]["file"].endswith("1.parquet")
    assert "texts that cannot be scored are in quarantine, as model_error" in caplog.text
    assert "poison" not in caplog.text

    workers_get(WorkerSpec)
    again = run_night(spark, night(tmp_path), day)
    assert (again.rows_labelled, again.rows_quarantined, again.reused_texts) == (43, 1, 40), "it is not held against it"
    assert len(rows(tmp_path, TEXT_SCORES)) == 42
    assert {row["engine"] for row in rows(tmp_path, TEXT_SCORES)} == {"torch fp32 on cpu"}


@pytest.mark.slow
def test_where_every_worker_ends_the_night_does_with_one_message(
    spark: SparkSession, tmp_path: Path, day: Window, workers_get: Callable[[type[WorkerSpec]], None]
) -> None:
    write_feed(tmp_path, 3, {})
    workers_get(BrokenSpec)
    with pytest.raises(WorkerError, match=r"^expected a worker that loads the model .* SIGSEGV; look at the memory"):
        run_night(spark, night(tmp_path), day)
    (row,) = rows(tmp_path, RUNS)
    assert (row["outcome"], row["exit_code"]) == ("failed", 1)
    assert "SIGSEGV" in row["error"]


@pytest.fixture
def artifact() -> Artifact:
    return open_artifact(ArtifactSource())


class _Scorer(str):
    """Stands for one by its name."""

    def with_care(self) -> str:
        return f"{self} with care"


@pytest.fixture
def tried(tmp_path: Path) -> Callable[..., tuple[str, list[str]]]:
    """Run a job that fails with some errors, one after the other; return its result, and what was done."""

    def run(*errors: Exception) -> tuple[str, list[str]]:
        done: list[str] = []
        failures = iter(errors)

        def job(udf: Any) -> str:
            done.append(udf)
            for error in failures:
                raise error
            return "scored"

        context = RunContext(night(tmp_path), Window(DAY, DAY))
        return with_care(context, _Scorer("scorer"), job, lambda: done.append("undo")), done  # type: ignore[arg-type]

    return run


def test_what_spark_does_not_try_again_is_scored_again_carefully(
    tried: Callable[..., tuple[str, list[str]]],
) -> None:
    assert tried() == ("scored", ["scorer"])
    assert tried(RuntimeError(CRASHED)) == ("scored", ["scorer", "undo", "scorer with care"])
    with pytest.raises(WorkerError, match="found workers that end before they do"):
        tried(RuntimeError(CRASHED), RuntimeError(CRASHED))


def test_what_no_worker_is_to_blame_for_is_not_tried_again(tried: Callable[..., tuple[str, list[str]]]) -> None:
    with pytest.raises(OSError, match="no space left"):
        tried(OSError("no space left on device"))
    with pytest.raises(RuntimeError, match="ModelError"):
        tried(
            RuntimeError(
                "An exception was thrown from the Python worker:\nemotion_udf.errors.ModelError: expected another model"
            )
        )
    assert ModelError.exit_code == 2


@pytest.mark.slow
def test_two_texts_of_2_000_that_stop_their_worker_or_fill_its_memory(
    spark: SparkSession, tmp_path: Path, day: Window, workers_get: Callable[[type[WorkerSpec]], None]
) -> None:
    write_feed(tmp_path, 1_998, {"a": "so poison-stop it is", "b": "so poison-kill it is"})
    workers_get(PoisonedSpec)
    run = run_night(spark, night(tmp_path), day)
    assert (run.rows_read, run.rows_labelled, run.rows_quarantined) == (2_000, 1_998, 2)
    assert {row["feedback_id"] for row in rows(tmp_path, QUARANTINE)} == {"a", "b"}


def scored_by(spark: SparkSession, spec: WorkerSpec, texts: int) -> list[Row]:
    def emotion(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        return score_batches(batches, spec)

    udf = pandas_udf(emotion, SCORE_TYPE)  # type: ignore[call-overload]
    numbers = spark.range(texts).coalesce(1)
    return numbers.selectExpr("concat('i feel number ', id, ' today') AS text").select(udf("text").alias("s")).collect()


@pytest.fixture
def slow(artifact: Artifact, tmp_path: Path) -> SlowSpec:
    source = ArtifactSource()
    loads = str(tmp_path / "loads")
    return SlowSpec(source, artifact.fingerprint, "cpu", "fp32", None, 2_500, stopped_s=1, loads=loads)


@pytest.mark.slow
def test_a_worker_that_somebody_stops_costs_a_retry(spark: SparkSession, slow: SlowSpec) -> None:
    loads = Path(slow.loads)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(scored_by, spark, slow, 40)
        while not job.done() and not (loads.exists() and loads.read_text(encoding="utf-8").endswith("\n")):
            time.sleep(0.05)
        os.kill(int(loads.read_text(encoding="utf-8")), signal.SIGSTOP)
        found = job.result(timeout=300)
    assert len(found) == 40
    assert all(row.s.emotion for row in found)
    assert len(set(loads.read_text(encoding="utf-8").split())) == 2


@contextmanager
def idle_timeout(spark: SparkSession, seconds: int) -> Iterator[None]:
    key = "spark.sql.execution.pyspark.udf.idleTimeoutSeconds"
    before = str(spark.conf.get(key))
    spark.conf.set(key, seconds)
    try:
        yield
    finally:
        spark.conf.set(key, before)


@pytest.mark.slow
def test_a_worker_that_is_slow_is_not_taken_for_one_that_hangs(spark: SparkSession, slow: SlowSpec) -> None:
    """It takes three times as long as it may be silent, over one chunk of texts."""
    assert spark.conf.get("spark.sql.execution.pyspark.udf.killOnIdleTimeout") == "true"
    with idle_timeout(spark, seconds=15):
        found = scored_by(spark, slow, 640)
    assert len(found) == 640
    assert len(Path(slow.loads).read_text(encoding="utf-8").split()) == 1
