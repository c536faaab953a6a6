"""What Spark's event log says of a job: its plans, what it shuffled and spilled, and how long its tasks were.

python -m tools.spark_events EVENTS            # a line for each query
python -m tools.spark_events EVENTS --plans    # and its plan, as it ran

EVENTS is the file that a job has written by `--conf spark.eventLog.enabled=true --conf spark.eventLog.dir=…
--conf spark.eventLog.rolling.enabled=false --conf spark.eventLog.compress=false`, or a folder that holds one.
"""

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import pandas as pd

Event = dict[str, Any]

_SQL: Final = "org.apache.spark.sql.execution.ui."
_WRITE: Final = re.compile(r"Execute InsertIntoHadoopFsRelationCommand (\S+),")
_RUN: Final = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}$")
# What is there for Spark's own sake, and says nothing of the work.
_WRAPPERS: Final = ("AdaptiveSparkPlan", "WholeStageCodegen", "InputAdapter", "ShuffleQueryStage", "ResultQueryStage")
_MOST_CHARS: Final = 160


@dataclass
class Query:
    """A query of a job, as Spark ran it.

    Attributes:
        number: In the order of their starts.
        writes: The folder that it writes, without the run's name; empty where it writes none.
        plan: Its newest plan, as the tree of nodes that the log has.
        seconds: From its start to its end.
        tasks: Seconds of each of its tasks.
        read: Bytes that it read from files.
        shuffled: Bytes that it wrote for other tasks.
        shuffled_rows: The rows of these.
        fetched: Bytes that it read of them.
        spilled: Bytes that did not fit into memory and went to the disk for a while.
        written: Bytes of its files.
        rows: Rows of its files.
    """

    number: int
    writes: str = ""
    plan: Event = field(default_factory=dict)
    seconds: float = 0.0
    tasks: list[float] = field(default_factory=list)
    read: int = 0
    shuffled: int = 0
    shuffled_rows: int = 0
    fetched: int = 0
    spilled: int = 0
    written: int = 0
    rows: int = 0


def read_queries(events: Path) -> list[Query]:
    """Return the queries of a job that have run tasks, in the order of their starts."""
    queries: dict[int, Query] = {}
    started: dict[int, int] = {}
    of_stage: dict[int, int] = {}  # the query of each stage
    for event in _read(events):
        kind = event["Event"].removeprefix(_SQL)
        if kind == "SparkListenerSQLExecutionStart":
            number = event["executionId"]
            started[number] = event["time"]
            queries[number] = Query(number, _writes(event["sparkPlanInfo"]), event["sparkPlanInfo"])
        elif kind == "SparkListenerSQLAdaptiveExecutionUpdate":
            queries[event["executionId"]].plan = event["sparkPlanInfo"]
        elif kind == "SparkListenerSQLExecutionEnd":
            number = event["executionId"]
            queries[number].seconds = (event["time"] - started[number]) / 1000
        elif kind == "SparkListenerJobStart":
            number = int(event.get("Properties", {}).get("spark.sql.execution.id", -1))
            of_stage |= dict.fromkeys(event["Stage IDs"], number)
        elif kind == "SparkListenerTaskEnd" and event.get("Task Metrics"):
            query = queries.get(of_stage.get(event["Stage ID"], -1))
            if query:
                _add(query, event["Task Info"], event["Task Metrics"])
    return [query for query in queries.values() if query.tasks]


def _read(events: Path) -> Iterator[Event]:
    files = sorted(file for file in events.iterdir() if file.is_file()) if events.is_dir() else [events]
    for file in files:
        with file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _writes(plan: Event) -> str:
    """Return the folder that a plan writes, such as `checked` or `emotion_labels`."""
    found = _WRITE.search(plan["simpleString"])
    if found is None:
        return next(filter(None, map(_writes, plan["children"])), "")
    parts = [part for part in found[1].split("/") if not _RUN.match(part)]
    return parts[-2] if parts[-1] == "data" else parts[-1]


def _add(query: Query, info: Event, metrics: Event) -> None:
    fetched, written = metrics["Shuffle Read Metrics"], metrics["Shuffle Write Metrics"]
    query.tasks.append((info["Finish Time"] - info["Launch Time"]) / 1000)
    query.read += metrics["Input Metrics"]["Bytes Read"]
    query.shuffled += written["Shuffle Bytes Written"]
    query.shuffled_rows += written["Shuffle Records Written"]
    query.fetched += fetched["Remote Bytes Read"] + fetched["Local Bytes Read"]
    query.spilled += metrics["Disk Bytes Spilled"]
    query.written += metrics["Output Metrics"]["Bytes Written"]
    query.rows += metrics["Output Metrics"]["Records Written"]


def plan_lines(plan: Event, depth: int = 0) -> list[str]:
    """Return a plan as a line for each node, its inputs below it, moved to the right."""
    is_shown = not plan["nodeName"].startswith(_WRAPPERS)
    shown = plan["simpleString"]
    own = ["  " * depth + (shown if len(shown) <= _MOST_CHARS else f"{shown[:_MOST_CHARS]}…")] if is_shown else []
    return own + [line for child in plan["children"] for line in plan_lines(child, depth + is_shown)]


def to_row(query: Query) -> dict[str, Any]:
    """Return a query's figures, sizes in MiB."""
    sizes = {name: getattr(query, name) / 2**20 for name in ("read", "shuffled", "fetched", "spilled", "written")}
    return {
        "query": query.number,
        "writes": query.writes,
        "seconds": query.seconds,
        "tasks": len(query.tasks),
        "median_task_s": median(query.tasks),
        "longest_task_s": max(query.tasks),
        **{f"{name}_mib": size for name, size in sizes.items()},
        "shuffled_rows": query.shuffled_rows,
        "rows": query.rows,
    }


def main(arguments: list[str] | None = None) -> None:
    """Print what an event log says."""
    parser = argparse.ArgumentParser(prog="python -m tools.spark_events", description=__doc__.partition("\n")[0])
    parser.add_argument("events", type=Path, help="the event log, or a folder that holds it")
    parser.add_argument("--plans", action="store_true", help="print each query's plan, as it ran")
    options = parser.parse_args(arguments)
    queries = read_queries(options.events)
    print(pd.DataFrame(map(to_row, queries)).to_string(index=False, float_format=lambda value: f"{value:,.2f}"))
    for query in queries if options.plans else ():
        print(f"\nquery {query.number} {query.writes}".rstrip(), *plan_lines(query.plan), sep="\n")


if __name__ == "__main__":
    main()
