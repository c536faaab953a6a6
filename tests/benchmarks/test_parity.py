"""A fast precision against fp32: the figures, the limits, and the whole command."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness import BenchmarkError, run
from benchmarks.machine import ROOT
from benchmarks.parity import accuracy, add_options, agreement, goals, measure, read_labelled


def test_the_bundled_classifier_agrees_with_itself(tmp_path: Path) -> None:
    out = tmp_path / "parity.json"
    canary = ROOT / "emotion_udf" / "probes" / "canary.txt"
    asked = f"--rows 24 --precision fp32 --data probes --labelled {canary} --out {out}"
    assert run("parity", add_options, measure, goals, asked.split()) == 0
    row = json.loads(out.read_text(encoding="utf-8"))["rows"][0]
    assert (row["messages"], row["equal_labels"], row["max"], row["points_lost"]) == (24, 1.0, 0.0, 0.0)
    assert row["reference_right"] > 90


def test_ties_count_in_the_strict_share() -> None:
    reference = np.full((2, 6), 1 / 6, dtype=np.float32)
    reference[:, 0] += 0.001
    found = np.full((2, 6), 1 / 6, dtype=np.float32)
    found[:, 3] += 0.001
    row = agreement(reference, found)
    assert (row["equal_labels"], row["equal_but_for_ties"]) == (0.0, 1.0)
    assert row["max"] == pytest.approx(0.001, rel=1e-3)


def test_accuracy_is_in_per_cent_and_lost_in_points() -> None:
    right = np.eye(6, dtype=np.float32)[[0, 1, 2, 3]]
    one_wrong = np.eye(6, dtype=np.float32)[[0, 1, 2, 4]]
    row = accuracy(np.array([0, 1, 2, 3]), right, one_wrong)
    assert (row["reference_right"], row["right"], row["points_lost"]) == (100.0, 75.0, 25.0)


@pytest.mark.parametrize(
    ("figures", "holds"),
    [
        ({}, True),
        ({"equal_labels": 0.994}, False),
        ({"p99": 0.051}, False),
        ({"p99": float("nan")}, False),
        ({"points_lost": 0.25}, False),
        ({"points_lost": -0.8}, True),
    ],
)
def test_every_limit_is_required(figures: dict[str, float], holds: bool) -> None:
    kept = {"precision": "bf16", "equal_labels": 0.995, "p99": 0.05, "points_lost": 0.2}
    found = goals([kept | figures])
    assert all(goal.is_required for goal in found)
    assert all(goal.is_met for goal in found) == holds


def test_labelled_sentences_may_hold_semicolons(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("so; well;joy\nno;anger\n", encoding="utf-8")
    texts, emotions = read_labelled(tmp_path / "some.txt")
    assert texts == ["so; well", "no"]
    assert emotions.tolist() == [1, 3]


@pytest.mark.parametrize(("lines", "told"), [("well;bliss\n", "bliss"), ("", "no line")])
def test_unknown_labels_and_empty_files_are_refused(lines: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text(lines, encoding="utf-8")
    with pytest.raises(BenchmarkError, match=told):
        read_labelled(tmp_path / "some.txt")
    with pytest.raises(BenchmarkError, match="--labelled"):
        read_labelled(tmp_path / "none.txt")
