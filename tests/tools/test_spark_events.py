"""What is read off Spark's event log, by a short one in Spark's own form."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.spark_events import main, plan_lines, read_queries, to_row

SQL = "org.apache.spark.sql.execution.ui.SparkListenerSQL"
RUN = "20261006T020000Z-aaaaaa"


def node(name: str, *children: dict[str, Any], more: str = "") -> dict[str, Any]:
    return {"nodeName": name, "simpleString": f"{name}{more}", "children": list(children)}


def writes(folder: str) -> dict[str, Any]:
    write = node(
        "Execute InsertIntoHadoopFsRelationCommand", node("WriteFiles"), more=f" file:/w/{folder}, false, Parquet"
    )
    return node("AdaptiveSparkPlan", write, more=" isFinalPlan=false")


def task(stage: int, seconds: int, spilled: int = 0) -> dict[str, Any]:
    return {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": stage,
        "Task Info": {"Launch Time": 1_000, "Finish Time": 1_000 + 1_000 * seconds},
        "Task Metrics": {
            "Disk Bytes Spilled": spilled,
            "Shuffle Read Metrics": {"Remote Bytes Read": 2**20, "Local Bytes Read": 2**20},
            "Shuffle Write Metrics": {"Shuffle Bytes Written": 3 * 2**20, "Shuffle Records Written": 7},
            "Input Metrics": {"Bytes Read": 2**20},
            "Output Metrics": {"Bytes Written": 2**19, "Records Written": 5},
        },
    }


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Two queries: one in two stages whose plan changed on the way, and one that ran no task."""
    final = node("AdaptiveSparkPlan", node("Sort", node("WholeStageCodegen (1)", node("Scan parquet"))))
    told = [
        {"Event": "SparkListenerApplicationStart"},
        {
            "Event": f"{SQL}ExecutionStart",
            "executionId": 4,
            "time": 5_000,
            "sparkPlanInfo": writes(f"_staging/{RUN}/checked"),
        },
        {"Event": "SparkListenerJobStart", "Stage IDs": [1, 2], "Properties": {"spark.sql.execution.id": "4"}},
        {"Event": "SparkListenerJobStart", "Stage IDs": [3]},
        {"Event": f"{SQL}AdaptiveExecutionUpdate", "executionId": 4, "sparkPlanInfo": final},
        *(task(1, 2), task(2, 4, spilled=2**20), task(3, 9), {"Event": "SparkListenerTaskEnd", "Stage ID": 2}),
        {"Event": f"{SQL}ExecutionEnd", "executionId": 4, "time": 12_500},
        {
            "Event": f"{SQL}ExecutionStart",
            "executionId": 5,
            "time": 13_000,
            "sparkPlanInfo": writes("emotion_labels/data/x"),
        },
    ]
    (tmp_path / "local-1").write_text("".join(json.dumps(event) + "\n" for event in told))
    return tmp_path


def test_a_query_is_told_with_all_that_its_tasks_did(events: Path) -> None:
    (query,) = read_queries(events)
    assert to_row(query) == {
        "query": 4,
        "writes": "checked",
        "seconds": 7.5,
        "tasks": 2,
        "median_task_s": 3.0,
        "longest_task_s": 4.0,
        "read_mib": 2.0,
        "shuffled_mib": 6.0,
        "fetched_mib": 4.0,
        "spilled_mib": 1.0,
        "written_mib": 1.0,
        "shuffled_rows": 14,
        "rows": 10,
    }
    assert read_queries(events / "local-1")[0].number == 4


def test_a_plan_is_the_one_that_ran_without_what_is_spark_s_own(events: Path) -> None:
    (query,) = read_queries(events)
    assert plan_lines(query.plan) == ["Sort", "  Scan parquet"]
    assert plan_lines(node("Scan", more="x" * 200))[0].endswith("xxx…")


@pytest.mark.parametrize(
    ("folder", "named"),
    [(f"emotion_labels/data/{RUN}", "emotion_labels"), (f"_staging/{RUN}/known", "known"), ("plain", "plain")],
)
def test_a_query_is_named_for_the_folder_that_it_writes(tmp_path: Path, folder: str, named: str) -> None:
    told = [
        {"Event": f"{SQL}ExecutionStart", "executionId": 1, "time": 0, "sparkPlanInfo": writes(folder)},
        {"Event": "SparkListenerJobStart", "Stage IDs": [1], "Properties": {"spark.sql.execution.id": "1"}},
        task(1, 1),
    ]
    (tmp_path / "log").write_text("\n".join(map(json.dumps, told)))
    assert [query.writes for query in read_queries(tmp_path)] == [named]


def test_the_command_prints_a_line_a_query_and_plans_where_they_are_wanted(
    events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(events)])
    short = capsys.readouterr().out
    main([str(events), "--plans"])
    assert capsys.readouterr().out == f"{short}\nquery 4 checked\nSort\n  Scan parquet\n"
    assert len(short.splitlines()) == 2
