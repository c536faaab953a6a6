"""The memory of workers: what /proc tells, who is a worker, and the sampling."""

import os
from pathlib import Path
from threading import Event

import pytest

from benchmarks import worker_memory
from benchmarks.worker_memory import MemorySampler, Sample, WorkerMemory, python_workers, read_sample, summarise_memory

ROLLUP = """\
55d0c8a00000-7ffd1b5f2000 ---p 00000000 00:00 0                          [rollup]
Rss:              412048 kB
Pss:              307200 kB
Pss_Dirty:        290000 kB
Pss_Anon:         256000 kB
Pss_File:          51200 kB
Private_Dirty:    280000 kB
"""


def test_the_proportional_set_size_is_read_in_mib() -> None:
    assert read_sample(ROLLUP) == Sample(300.0, 250.0)
    assert read_sample("") == Sample(0.0, 0.0)  # a process without memory: it is ending


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
    samples = [Sample(mib, mib - 1) for mib in (1, 9, 2, 3, 4, 5, 6, 8)]
    assert summarise_memory(samples) == WorkerMemory(9, 7.0, 8, 8)
    assert summarise_memory([Sample(5.0, 3.0)]) == WorkerMemory(5.0, 5.0, 3.0, 1)


def test_the_sampler_samples_until_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_memory, "python_workers", lambda _: [os.getpid(), 2**30])  # the second has ended
    with MemorySampler(0.01) as memory:
        Event().wait(0.3)
    taken = list(memory.samples[os.getpid()])
    assert set(memory.samples) == {os.getpid()}
    assert len(taken) > 2
    assert all(10 < sample.own_mib < sample.mib < 100_000 for sample in taken)
