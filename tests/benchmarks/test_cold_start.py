"""The clock of a start, with a spark-submit that is a script. Nothing here starts Spark."""

import sys
from pathlib import Path

import pytest

from benchmarks import cold_start
from benchmarks.cold_start import goals, time_start
from benchmarks.harness import BenchmarkError


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_start, "BUILD", tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))


def write_submit(folder: Path, script: str) -> None:
    submit = folder / "spark-submit"
    submit.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    submit.chmod(0o755)


def test_a_start_counts_to_the_first_row(tmp_path: Path) -> None:
    write_submit(tmp_path, 'sleep 0.2; date +%s.%N > "$6"; sleep 1')
    seconds = time_start("emotion-udf", False, Path("model"), 60)
    assert 0.2 <= seconds < 1.0


def test_a_job_without_a_row_is_told(tmp_path: Path) -> None:
    (tmp_path / "cold_start").mkdir()
    (tmp_path / "cold_start" / "moment").write_text("1.0", encoding="utf-8")  # of an earlier start
    write_submit(tmp_path, "echo no such model; exit 1")
    with pytest.raises(BenchmarkError, match="no such model"):
        time_start("emotion-udf", False, Path("model"), 60)
    assert not (tmp_path / "cold_start" / "moment").exists()


@pytest.mark.parametrize(("pipeline", "is_met"), [(20.0, True), (15.0, False)])
def test_the_prepared_start_is_compared_with_the_plain_pipeline(pipeline: float, is_met: bool) -> None:
    ours = {"contender": "emotion-udf", "started_by": "submit.sh", "median_s": 9.0}
    theirs = {"contender": "hf-pipeline", "started_by": "spark-submit", "median_s": pipeline}
    (goal,) = goals([ours, theirs])
    assert goal.value == 9.0 / pipeline
    assert goal.is_met == is_met
