"""The measurement of large nights, on one that is just large enough to be run as such."""

import json
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.harness import run
from emotion_udf.plans import FEW_ROWS
from tools import measure_scale
from tools.measure_scale import goals, most_left, write_messages

_GC = """
[0.105s][info][gc] GC(0) Pause Young (Allocation Failure) 17M->3M(57M) 6.174ms
[0.511s][info][gc] GC(1) Pause Full (Metadata GC Threshold) 40M->12M(57M) 20.000ms
[0.511s][info][gc] GC(2) Pause Young (Allocation Failure) 28M->11M(57M) 2.000ms
"""


def test_messages_are_distinct_and_every_second_one_is_of_one_product(tmp_path: Path) -> None:
    table = pq.read_table(write_messages(["good", "bad"], 1_000, 7, tmp_path / "in"))
    assert len(list((tmp_path / "in").iterdir())) == 7
    assert len(set(table["text"].to_pylist())) == len(set(table["id"].to_pylist())) == 1_000
    products = table["product"].to_pylist()
    assert (products.count("product-0"), len(set(products))) == (500, 50)
    assert {moment.date() for moment in table["created_at"].to_pylist()} == {date(2026, 10, 5)}


def test_the_most_that_a_heap_held_is_read_off_its_log() -> None:
    assert most_left(_GC) == 12
    assert most_left("") == 0


def test_the_largest_night_is_compared_by_message_with_the_smallest() -> None:
    small = {
        "rows": 10,
        "wall_s": 20.0,
        "read_cpu_s": 4.0,
        "gate_cpu_s": 0.1,
        "driver_heap_mib": 50,
        "driver_python_mib": 80,
    }
    large = small | {"rows": 50, "wall_s": 60.0, "read_cpu_s": 30.0, "gate_cpu_s": 0.9}
    found = {goal.name: (round(goal.value, 2), goal.is_met) for goal in goals([large, small])}
    assert found == {
        "wall_s a message, times that of 10": (0.6, True),
        "read_cpu_s a message, times that of 10": (1.5, False),
        "driver_heap_mib, times that of 10": (1.0, True),
        "driver_python_mib, times that of 10": (1.0, True),
    }
    assert goals([small]) == []


@pytest.mark.slow
def test_a_night_is_measured_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_scale, "_FOLDER", tmp_path / "work")
    out = tmp_path / "scale.json"
    rows = FEW_ROWS + 2_000
    asked = f"--rows {rows} --files 60 --data probes --executor-memory 1024 --out {out}"
    assert run("measure_scale", measure_scale.add_options, measure_scale.measure, goals, asked.split(), "tools") == 0

    (row,) = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert (row["rows"], row["input_files"]) == (rows, 60)
    # The aggregates are written beside the terms, whose step has what both cost.
    assert min(row[f"{step}_cpu_s"] for step in ("read", "score", "label", "terms")) > 0
    roles = ("driver_jvm", "driver_python", "executor_jvm", "worker")
    assert min(row[f"{role}_mib"] for role in roles) > 50, "each in a process of its own"
    assert 10 < row["driver_heap_mib"] < 500
    by_folder = {query["writes"]: query for query in row["queries"]}
    assert by_folder["checked"]["tasks"] < 60, "small files are packed"
    assert by_folder["emotion_labels"]["rows"] == by_folder["text_scores"]["rows"] == rows
    assert row["spilled_mib"] == 0
    assert (row["emotion_labels_files"], row["emotion_daily_files"], row["text_scores_files"]) == (1, 1, 1)
