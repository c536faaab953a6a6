"""The records that benchmarks/README.md quotes can be read, and keep what their goals say."""

import json
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.harness import to_table
from benchmarks.machine import ROOT
from benchmarks.pictures import main

RESULTS = ROOT / "benchmarks" / "results"
PAGE = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted(RESULTS.iterdir()), ids=lambda file: file.name)
def test_every_result_is_quoted(file: Path) -> None:
    assert f"results/{file.name}" in PAGE


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.json")), ids=lambda file: file.name)
def test_every_record_says_where_it_is_from(file: Path) -> None:
    record = json.loads(file.read_text(encoding="utf-8"))
    assert {"commit", "machine", "versions", "options", "rows", "goals"} <= set(record)
    assert import_module(f"benchmarks.{record['benchmark']}").measure
    assert to_table(record["rows"])
    assert all(goal["is_met"] for goal in record["goals"] if goal["is_required"])


def test_a_comparison_becomes_a_picture(tmp_path: Path) -> None:
    record = json.loads((RESULTS / "throughput-base.json").read_text(encoding="utf-8"))
    slower = [row | {"rows_per_s": row["rows_per_s"] / 2} for row in record["rows"][:1]] + record["rows"][1:]
    (tmp_path / "one.json").write_text(json.dumps(record), encoding="utf-8")
    (tmp_path / "other.json").write_text(json.dumps(record | {"rows": slower}), encoding="utf-8")
    assert main([str(tmp_path / "one.json"), str(tmp_path / "other.json")]) == 0
    one, other = ((tmp_path / f"{name}.png").read_bytes() for name in ("one", "other"))
    assert one[:8] == other[:8] == b"\x89PNG\r\n\x1a\n"
    assert one != other
