"""The measurement of many nights, on three."""

import json
from pathlib import Path

import pytest

from benchmarks.harness import run
from tools import measure_nights
from tools.measure_nights import goals


def test_the_last_night_is_compared_with_the_first() -> None:
    first = {"night": 30, "run_s": 2.0, "publish_s": 0.1, "runs_files": 30, "unread_commits": 9}
    last = first | {"night": 365, "run_s": 5.0, "runs_files": 60, "unread_commits": 14}
    found = {goal.name: (goal.value, goal.is_met) for goal in goals([first, last])}
    assert found == {
        "run_s, night 365, times night 30": (2.5, False),
        "publish_s, night 365, times night 30": (1.0, True),
        "commits to read": (14, False),
    }


@pytest.mark.slow
def test_nights_are_run_one_by_one_over_an_input_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_nights, "_FOLDER", tmp_path / "work")
    out = tmp_path / "nights.json"
    asked = f"--nights 3 --at 1 3 --rows 8 --data probes --out {out}"
    run("measure_nights", measure_nights.add_options, measure_nights.measure, goals, asked.split(), "tools")

    first, last = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert (first["night"], last["night"]) == (1, 3)
    assert [row["emotion_labels_files"] for row in (first, last)] == [1, 3]
    assert [row["runs_files"] for row in (first, last)] == [1, 3]
    assert [row["releases_files"] for row in (first, last)] == [1, 1]
    assert all(row["inventory_s"] > 0 and row["cpu_s"] > 0 for row in (first, last))
