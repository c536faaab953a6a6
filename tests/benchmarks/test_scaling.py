"""Rates and memory by number of rows: input, /proc, figures, and one small measurement on Spark."""

import os
from operator import attrgetter
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from benchmarks import scaling
from benchmarks.inputs import BenchmarkError, make_model, write_parts
from benchmarks.scaling import (
    Measurement,
    MemorySampler,
    Overhead,
    Request,
    WorkerMemory,
    cycle,
    growth,
    growth_by_cores,
    in_a_process,
    overhead_table,
    pss_mib,
    python_workers,
    read_texts,
    scaling_table,
    summarise_memory,
)

ROLLUP = """\
55d0c8a00000-7ffd1b5f2000 ---p 00000000 00:00 0                          [rollup]
Rss:              412048 kB
Pss:              307200 kB
Pss_Dirty:        290000 kB
Private_Dirty:    280000 kB
"""


def measurement(rows: int, cores: int, peak: float) -> Measurement:
    return Measurement(rows, cores, [1.0, 2.0, 3.0], rows / 2, [WorkerMemory(peak, peak, 9)], peak, peak - 10)


def test_texts_go_round_and_ids_are_unique() -> None:
    table = cycle(pa.array(["a", "b", "c"]), 7, first=2)
    assert table["text"].to_pylist() == ["c", "a", "b", "c", "a", "b", "c"]
    assert table["id"].to_pylist() == list(range(2, 9))


@pytest.mark.parametrize(("rows", "files"), [(7, 3), (2, 2), (1, 2), (0, 1)])
def test_files_hold_all_rows_in_equal_parts(rows: int, files: int, tmp_path: Path) -> None:
    folder = write_parts(cycle(pa.array(["a", "b"]), rows), files, tmp_path / "rows")
    parts = [pq.read_table(file)["id"].to_pylist() for file in sorted(folder.iterdir())]
    assert [number for part in parts for number in part] == list(range(rows))
    assert len(parts) == files
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_missing_data_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"tweets\.parquet, found no such file"):
        read_texts(tmp_path / "tweets.parquet")


def test_the_proportional_set_size_is_read_in_mib() -> None:
    assert pss_mib(ROLLUP) == 300.0
    assert pss_mib("") == 0.0  # a process without memory: it is ending


def fake_process(proc: Path, pid: int, parent: int, command: str) -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(f"{pid} (py (x)) S {parent} 1 1 0\n", encoding="utf-8")
    (proc / str(pid) / "cmdline").write_bytes(command.replace(" ", "\0").encode())


def test_workers_are_what_daemons_of_this_spark_forked(tmp_path: Path) -> None:
    daemon = "python -m pyspark.daemon pyspark.worker"
    fake_process(tmp_path, 10, 1, "python -m benchmarks.scaling")
    fake_process(tmp_path, 11, 10, "java org.apache.spark.deploy.SparkSubmit")
    fake_process(tmp_path, 12, 11, daemon)
    fake_process(tmp_path, 13, 12, daemon)
    fake_process(tmp_path, 14, 12, daemon)
    fake_process(tmp_path, 20, 1, daemon)  # another Spark's
    fake_process(tmp_path, 21, 20, daemon)
    (tmp_path / "15").mkdir()  # has ended meanwhile
    (tmp_path / "meminfo").write_text("", encoding="utf-8")
    assert python_workers(10, tmp_path) == [13, 14]


def test_memory_is_the_peak_and_the_mean_of_the_last_quarter() -> None:
    assert summarise_memory([1, 9, 2, 3, 4, 5, 6, 8]) == WorkerMemory(9, 7.0, 8)
    assert summarise_memory([5.0]) == WorkerMemory(5.0, 5.0, 1)


def test_the_sampler_samples_until_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "python_workers", lambda _: [os.getpid(), 2**30])  # the second has ended
    with MemorySampler(0.01) as memory:
        Event().wait(0.3)
    taken = list(memory.mib[os.getpid()])
    assert set(memory.mib) == {os.getpid()}
    assert len(taken) > 2
    assert all(10 < mib < 100_000 for mib in taken)


def test_growth_is_the_largest_above_the_smallest() -> None:
    assert growth({10: 200.0, 100: 190.0, 1000: 209.0}) == pytest.approx(0.1)
    assert growth({10: 200.0}) == 0


def test_growth_is_told_for_each_number_of_cores() -> None:
    measured = [measurement(10, 2, 100), measurement(10, 1, 50), measurement(100, 2, 120), measurement(100, 1, 50)]
    assert growth_by_cores(measured) == {
        "1": {"peak_mib": 0.0, "last_quarter_mib": 0.0},
        "2": {"peak_mib": pytest.approx(0.2), "last_quarter_mib": pytest.approx(110 / 90 - 1)},
    }
    caption = str(scaling_table(measured, "tiny").caption)
    assert "on 1 cores the peak grows by 0.0% (goal: at most 10%, met)" in caption
    assert "on 2 cores the peak grows by 20.0% (goal: at most 10%, not met)" in caption


def test_overhead_is_told_in_rates() -> None:
    table = overhead_table([Overhead(100, 2, [10.0], [9.0], 0.9), Overhead(100, 2, [10.0], [8.9], 0.89)], "base")
    cells = [list(column.cells) for column in table.columns]
    assert cells[2:] == [["10", "10"], ["11", "11"], ["90.0%", "89.0%"], ["met", "not met"]]


@pytest.fixture
def small(tmp_path: Path) -> Request:
    messages = tmp_path / "messages.parquet"
    pq.write_table(pa.table({"text": [f"i feel like number {n}" for n in range(50)]}), messages)
    model = make_model(tmp_path / "tiny", scaling.TINY)
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
    assert all(worker.peak_mib > 20 for worker in found.workers)
    assert not small.folder.exists()


def test_a_measurement_has_a_process_of_its_own(small: Request) -> None:
    assert in_a_process(attrgetter("rows"), small) == 120
