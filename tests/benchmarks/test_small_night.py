"""The small night, with a spark-submit that writes what a night leaves. Nothing here starts Spark."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import small_night
from benchmarks.harness import BenchmarkError, run
from benchmarks.machine import ROOT
from benchmarks.small_night import check_out, goals
from tests.helpers.night_script import read_asked, write_submit

pytestmark = pytest.mark.slow


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list of nights that a spark-submit beside this Python has run."""
    log = tmp_path / "ran"
    write_submit(tmp_path, log)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(small_night, "_FOLDER", tmp_path / "work")
    return log


def measure(folder: Path, options: str) -> tuple[int, dict[str, Any]]:
    """Run the benchmark; return the exit code, and the rows by night."""
    out = folder / "small_night.json"
    asked = f"--rows 6 --data probes --repeats 2 --started-by spark-submit --out {out} {options}"
    code = run("small_night", small_night.add_options, small_night.measure, goals, asked.split())
    return code, {row["night"]: row for row in json.loads(out.read_text(encoding="utf-8"))["rows"]}


def test_versions_take_turns_over_a_warehouse_of_their_own(ran: Path, tmp_path: Path) -> None:
    code, rows = measure(tmp_path, "--before HEAD")
    assert code == 0
    asked = read_asked(ran)
    before = str(tmp_path / "work" / "before")
    turns = [before, str(ROOT)]
    assert [row["folder"] for row in asked] == turns * 3 + turns[::-1]  # earlier nights, event logs, then timed
    assert [row["conf"] for row in asked[:2]] == [f"{folder}/conf" for folder in turns]
    assert [row["logged"] for row in asked] == [False] * 2 + [True] * 2 + [False] * 4
    assert [row["window"] for row in asked] == [["2026-10-04"]] * 2 + [["2026-10-05"]] * 6
    assert [row["runs"] for row in asked] == [0, 0] + [1] * 6
    assert list(rows) == ["before, spark-submit", "now, spark-submit"]
    now = rows["now, spark-submit"]
    assert (now["jobs"], now["run_s"], now["score_s"], len(now["runs"])) == (7, 3.0, 2.0, 2)
    assert now["cpu_s"] > 0


def test_a_night_of_several_days_is_asked_for_as_a_window(ran: Path, tmp_path: Path) -> None:
    measure(tmp_path, "--days 3 --repeats 1")
    windows = [row["window"] for row in read_asked(ran)]
    assert windows == [["2026-10-02", "2026-10-04"]] + [["2026-10-05", "2026-10-07"]] * 2


def test_a_revision_is_checked_out_whole(tmp_path: Path) -> None:
    folder = check_out("HEAD", tmp_path / "before")
    assert (folder / "jobs" / "score_feedback.py").is_file()
    assert (folder / "conf" / "spark-defaults.conf").is_file()
    with pytest.raises(BenchmarkError, match="found no-such-revision"):
        check_out("no-such-revision", tmp_path / "other")


def test_a_day_has_goals_of_its_own_and_each_row_one_of_the_version_before() -> None:
    before = {"measure": "1 days", "night": "before, spark-submit", "wall_s": 40.0, "cpu_s": 60.0, "jobs": 26}
    now = before | {"night": "now, spark-submit", "wall_s": 18.0, "cpu_s": 31.0, "jobs": 9}
    found = {goal.name: goal.is_met for goal in goals([before, now])}
    ratio = "wall_s of now, spark-submit, of those before"
    assert found == {"wall_s": True, "cpu_s": False, "jobs": True, ratio: True}
    month = [row | {"measure": "30 days"} for row in (before, now)]
    assert [goal.name for goal in goals(month)] == [ratio]
