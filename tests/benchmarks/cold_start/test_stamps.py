"""Stamps and the phases between them. Nothing here starts Spark."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.cold_start.stamps import PHASES, median_phases, phases, process_started

STAMPS = {"driver": 101.0, "imported": 101.5, "session": 104.0, "made": 104.25, "collected": 110.0}


def test_phases_are_what_passed_between_stamps() -> None:
    spent = phases(100.0, STAMPS)
    assert list(spent.values()) == [1.0, 0.5, 2.5, 0.25, 5.75]
    assert sum(spent.values()) == pytest.approx(STAMPS["collected"] - 100.0)


def test_a_traced_worker_divides_the_last_phase() -> None:
    worker = {"daemon": 105.0, "worker": 105.5, "called": 106.0, "classifier_imported": 108.0, "loaded": 109.0}
    spent = phases(100.0, STAMPS | worker | {"scored": 109.5})
    assert spent["imports of torch and the classifier"] == 2.0
    assert spent["row back at the driver"] == 0.5
    assert list(spent) == list(PHASES)


def test_medians_are_of_phases_that_every_start_has() -> None:
    both = [{"Spark session": 1.0, "model loaded": 2.0}, {"Spark session": 3.0}]
    assert median_phases(both) == {"Spark session": 2.0}


def test_the_start_of_a_process_whose_name_has_brackets(tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    fields = ["S"] + ["0"] * 18 + [str(250 * ticks)] + ["0"] * 30
    (tmp_path / "stat").write_text(f"42 (a) b (c) {' '.join(fields)}\n", encoding="utf-8")
    (tmp_path / "uptime").write_text("1000.00 1500.00\n", encoding="utf-8")
    started = process_started(tmp_path / "stat", tmp_path / "uptime")
    assert started == pytest.approx(time.time() - 750, abs=1)


def test_the_start_of_a_real_process() -> None:
    before = time.time()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = process_started(Path(f"/proc/{process.pid}/stat"))
        process.kill()
    assert before - 0.1 <= started <= time.time()
