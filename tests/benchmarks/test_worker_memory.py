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


# A process as Spark's driver is one: what it starts is told from what the tests' own Spark has started.
DRIVER = """
import subprocess, sys, time
for name in ("some.other", "pyspark.daemon"):
    started = subprocess.Popen([sys.executable, "-c", sys.argv[1], name], stdout=subprocess.PIPE, text=True)
    daemon = started.stdout.readline()
print(daemon, flush=True)
time.sleep(60)
"""


def test_workers_are_what_daemons_of_a_process_forked_and_are_sampled() -> None:
    command = [sys.executable, "-c", DRIVER, DAEMON]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, text=True) as driver:
        assert driver.stdout is not None
        daemon = int(driver.stdout.readline())
        workers = python_workers(driver.pid)
        with MemorySampler(driver.pid) as memory:
            time.sleep(0.7)
        os.killpg(driver.pid, 9)
    assert len(workers) == 1
    assert daemon not in workers
    assert len(memory.samples) >= 2
    assert 0.1 < memory.peaks()["own_peak_mib"] < memory.peaks()["peak_mib"] < 1_000


def test_a_spark_without_workers_has_no_memory_to_tell() -> None:
    with subprocess.Popen(["sleep", "60"]) as driver:
        with MemorySampler(driver.pid) as memory:
            time.sleep(0.3)
        driver.kill()
    with pytest.raises(ValueError, match="empty"):
        memory.peaks()
