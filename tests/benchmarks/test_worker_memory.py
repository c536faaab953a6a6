"""The memory of workers: what /proc tells, who is a worker, and the sampling, on real processes."""

import os
import subprocess
import sys
import time

import pytest

from benchmarks.worker_memory import MemorySampler, python_workers, read_mib

ROLLUP = """\
55d0c8a00000-7ffd1b5f2000 ---p 00000000 00:00 0                          [rollup]
Rss:              412048 kB
Pss:              307200 kB
Pss_Dirty:        290000 kB
Pss_Anon:         256000 kB
Pss_File:          51200 kB
Private_Dirty:    280000 kB
"""

DAEMON = """
import os, time
if os.fork() == 0:
    time.sleep(60)
print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_the_proportional_set_size_is_read_in_mib() -> None:
    assert read_mib(ROLLUP) == (300.0, 250.0)


def test_workers_are_what_daemons_of_this_process_forked_and_are_sampled() -> None:
    alone = [sys.executable, "-c", DAEMON, "some.other"]
    daemon = [sys.executable, "-c", DAEMON, "pyspark.daemon"]
    with (
        subprocess.Popen(alone, stdout=subprocess.PIPE, start_new_session=True) as other,
        subprocess.Popen(daemon, stdout=subprocess.PIPE, start_new_session=True) as spark,
    ):
        for process in (other, spark):
            assert process.stdout is not None
            process.stdout.readline()
        workers = python_workers(os.getpid())
        with MemorySampler() as memory:
            time.sleep(0.7)
        for process in (other, spark):
            os.killpg(process.pid, 9)
    assert len(workers) == 1
    assert spark.pid not in workers
    assert len(memory.samples) >= 2
    assert 0.1 < memory.peaks()["own_peak_mib"] < memory.peaks()["peak_mib"] < 1_000


def test_a_spark_without_workers_has_no_memory_to_tell() -> None:
    with MemorySampler() as memory:
        time.sleep(0.3)
    with pytest.raises(ValueError, match="empty"):
        memory.peaks()
