"""Rates and memory by number of rows: the figures, and one small measurement on Spark."""

import os
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from benchmarks import scaling
from benchmarks.inputs import TINY, make_model
from benchmarks.scaling import Measurement, growth, growth_by_cores, scaling_table
from benchmarks.spark_jobs import Request
from benchmarks.worker_memory import WorkerMemory


def measurement(rows: int, cores: int, peak: float) -> Measurement:
    worker = WorkerMemory(peak, peak - 10, peak - 20, 9)
    return Measurement(rows, cores, [1.0, 2.0, 3.0], rows / 2, [worker], peak, peak - 10, peak - 20)


def test_growth_is_the_largest_above_the_smallest() -> None:
    assert growth({10: 200.0, 100: 190.0, 1000: 209.0}) == pytest.approx(0.1)
    assert growth({10: 200.0}) == 0


def test_growth_is_told_for_each_number_of_cores() -> None:
    measured = [measurement(10, 2, 100), measurement(10, 1, 50), measurement(100, 2, 120), measurement(100, 1, 50)]
    assert growth_by_cores(measured) == {
        "1": {"peak_mib": 0.0, "last_quarter_mib": 0.0, "own_peak_mib": 0.0},
        "2": {
            "peak_mib": pytest.approx(0.2),
            "last_quarter_mib": pytest.approx(110 / 90 - 1),
            "own_peak_mib": pytest.approx(100 / 80 - 1),
        },
    }
    caption = str(scaling_table(measured, "tiny").caption)
    assert "on 1 cores the peak grows by 0.0% (goal: at most 10%, met)" in caption
    assert "on 2 cores the peak grows by 20.0% (goal: at most 10%, not met)" in caption


@pytest.fixture
def small(tmp_path: Path) -> Request:
    messages = tmp_path / "messages.parquet"
    pq.write_table(pa.table({"text": [f"i feel like number {n}" for n in range(50)]}), messages)
    model = make_model(tmp_path / "tiny", TINY)
    return Request(str(model), messages, rows=120, warm_up_rows=10, cores=1, repeats=2, folder=tmp_path / "work")


def test_a_measurement_sees_the_workers_of_its_spark(
    small: Request, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYSPARK_PYTHON", "PYSPARK_SUBMIT_ARGS", "SPARK_CONF_DIR", "SPARK_LOCAL_IP"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that what is set in the test goes with it
    kept = SimpleNamespace(read=spark.read, stop=lambda: None)  # other tests need the session, too
    monkeypatch.setattr("emotion_udf.session.start_session", lambda _: kept)
    found = scaling.measure(small)
    assert len(found.seconds) == 2
    assert found.rows_per_s == pytest.approx(120 / (sum(found.seconds) / 2))
    assert found.workers
    assert all(worker.peak_mib > worker.own_peak_mib > 20 for worker in found.workers)
    assert not small.folder.exists()
