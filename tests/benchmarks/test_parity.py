"""A fast precision against fp32: the figures, the limits, and the whole command."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness import run
from benchmarks.parity import add_options, agreement, goals, measure


def test_the_bundled_classifier_agrees_with_itself(tmp_path: Path) -> None:
    out = tmp_path / "parity.json"
    asked = f"--rows 24 --precision fp32 --data probes --out {out}"
    assert run("parity", add_options, measure, goals, asked.split()) == 0
    row = json.loads(out.read_text(encoding="utf-8"))["rows"][0]
    assert (row["messages"], row["equal_labels"], row["max"]) == (24, 1.0, 0.0)


def test_a_tie_that_changes_is_another_label() -> None:
    reference = np.full((2, 6), 1 / 6, dtype=np.float32)
    reference[:, 0] += 0.001
    found = np.full((2, 6), 1 / 6, dtype=np.float32)
    found[:, 3] += 0.001
    row = agreement(reference, found)
    assert row["equal_labels"] == 0.0
    assert row["max"] == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize(
    ("figures", "holds"),
    [
        ({}, True),
        ({"equal_labels": 0.994}, False),
        ({"p99": 0.051}, False),
        ({"p99": float("nan")}, False),
    ],
)
def test_every_limit_is_required(figures: dict[str, float], holds: bool) -> None:
    kept = {"precision": "bf16", "equal_labels": 0.995, "p99": 0.05}
    found = goals([kept | figures])
    assert all(goal.is_required for goal in found)
    assert all(goal.is_met for goal in found) == holds
