"""Spark against the bare classifier: what is told of it. Nothing here starts Spark."""

from pathlib import Path

import pytest

from benchmarks.overhead import Overhead, main, overhead_table


def test_overhead_is_told_in_rates() -> None:
    table = overhead_table([Overhead(100, 2, [10.0], [9.0], 0.9), Overhead(100, 2, [10.0], [8.9], 0.89)], "base")
    cells = [list(column.cells) for column in table.columns]
    assert cells[2:] == [["10", "10"], ["11", "11"], ["90.0%", "89.0%"], ["met", "not met"]]


def test_a_model_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "overhead.json"
    assert main(["--model", str(tmp_path / "none"), "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith("overhead: expected base, tiny, bundled or a model folder")
    assert not out.exists()
