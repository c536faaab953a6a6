"""A row of `runs` -> where its time went, and what was odd about it, in words for whoever is woken by a slow night.

It looks at nothing else, so it says the same of a row that is years old. What is odd is told by figures that do not
depend on how much there was to do: a night that is long because there was much to do is not odd.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

log = logging.getLogger(__name__)

_LEAST_S: Final = 5.0
_LEAST_SHARE: Final = 0.1
"""What took less, in seconds or of the night, is not worth a word."""

_LATENCY_S: Final = 0.5
"""Seconds for the footer of a file; object stores answer in a tenth of that."""

_BYTES_PER_S: Final = 20e6
"""Of a file whose times the driver reads, because its footer does not tell which are of the window; it is faster."""

_FOOTERS_AT_ONCE: Final = 16
"""As many as `storage.in_threads` reads."""

_LONG_START_S: Final = 20.0
"""Importing torch takes a tenth of it."""

_TIMES_SLOWER: Final = 3.0
_LEAST_LOADING: Final = 0.25

Row = Mapping[str, Any]


class Cause(StrEnum):
    """What a night can suffer from."""

    SLOW_MODEL = "slow_model"
    SLOW_START = "slow_start"
    WORKERS_START_AGAIN = "workers_start_again"
    TRIED_AGAIN = "tried_again"
    FALLBACK = "fallback"
    SLOW_TASK = "slow_task"
    SLOW_INPUT = "slow_input"


@dataclass(frozen=True)
class Finding:
    """Something odd.

    Attributes:
        cause: Its name, under which docs/operations.md says more.
        words: What was found, and where to look.
    """

    cause: Cause
    words: str


def log_diagnosis(row: Row) -> None:
    """Say where a run's time went, and what was odd; nothing of it can fail a night."""
    try:
        log.info("run_id=%s %s", row["run_id"], where_time_went(row))
        for finding in find_odd(row):
            log.warning("run_id=%s odd=%s %s", row["run_id"], finding.cause, finding.words)
    except Exception as error:
        log.warning("run_id=%s where its time went is not known (%s)", row["run_id"], type(error).__name__)


def where_time_went(row: Row) -> str:
    """Return the run's seconds by step, the longest first."""
    total = _total_s(row)
    steps = sorted(row["seconds"].items(), key=lambda step: -step[1])
    told = [f"{name} {seconds:.1f}" for name, seconds in steps] + [f"between them {total - _steps_s(row):.1f}"]
    return f"it took {total:.1f} s: {', '.join(told)}"


def find_odd(row: Row) -> list[Finding]:
    """Return what was odd about a run. Where it has no `hosts`, as of earlier versions, workers are not looked at."""
    hosts: Sequence[Row] = row.get("hosts") or []
    if not hosts:
        return list(_slow_input(row))
    return [
        *_slow_model(row, hosts),
        *_slow_start(row, hosts),
        *_workers_start_again(row, hosts),
        *_tried_again(hosts),
        *_fallback(hosts),
        *_slow_task(row, hosts),
        *_slow_input(row),
    ]


def _slow_model(row: Row, hosts: Sequence[Row]) -> Iterator[Finding]:
    """The model's folder is read by the driver and by each worker."""
    on_driver = row["seconds"].get("model", 0.0)
    worst = max(hosts, key=lambda host: host["slowest_opening_seconds"])
    on_worker = worst["slowest_opening_seconds"]
    if _is_notable(max(on_driver, on_worker), row):
        yield Finding(
            Cause.SLOW_MODEL,
            f"reading the model's files took {on_driver:.1f} s on the driver and up to {on_worker:.1f} s in a worker, "
            f"on {worst['host']}; put the folder on a local disk of each node",
        )


def _slow_start(row: Row, hosts: Sequence[Row]) -> Iterator[Finding]:
    """Beside the model a worker loads libraries, and compares a fast precision with fp32."""
    started = {host["host"]: host["slowest_load_seconds"] - host["slowest_opening_seconds"] for host in hosts}
    name, seconds = max(started.items(), key=lambda of_host: of_host[1])
    if seconds >= _LONG_START_S and _is_notable(seconds, row):
        yield Finding(
            Cause.SLOW_START,
            f"a worker on {name} took {seconds:.1f} s to start, without reading the model: look at the disk that its "
            "Python's packages are on, and at what else works on that machine",
        )


def _workers_start_again(row: Row, hosts: Sequence[Row]) -> Iterator[Finding]:
    """A worker that a failed task has ended is another matter."""
    again = sum(max(0, host["workers"] - host["most_at_once"] - host["tried_again"]) for host in hosts)
    loads, load_s = row["model_loads"], row["model_load_seconds"]
    cost = load_s * again / max(1, loads)
    if again and cost >= _LEAST_LOADING * (load_s + sum(host["seconds"] for host in hosts)):
        yield Finding(
            Cause.WORKERS_START_AGAIN,
            f"Python workers loaded the model {loads} times, {again} more than there were at once, in {load_s:.1f} s "
            "together; they should stay from task to task: look at spark.python.worker.reuse, and know that Spark "
            "ends one that is idle for a minute",
        )


def _tried_again(hosts: Sequence[Row]) -> Iterator[Finding]:
    found = {host["host"]: host["tried_again"] for host in hosts if host["tried_again"]}
    if found:
        yield Finding(
            Cause.TRIED_AGAIN,
            f"tasks that were not scored at the first try: {_named(found)}; a worker or an executor ended: look above "
            "for 'Lost task' and 'Lost executor', and at the memory that they have",
        )


def _fallback(hosts: Sequence[Row]) -> Iterator[Finding]:
    for engine in sorted({engine for host in hosts for engine in host["engines"] if ", because " in engine}):
        names = ", ".join(host["host"] for host in hosts if engine in host["engines"])
        yield Finding(
            Cause.FALLBACK,
            f"{names} scored by {engine}, which is slower; another machine, other libraries or another model can be "
            "the reason",
        )


def _slow_task(row: Row, hosts: Sequence[Row]) -> Iterator[Finding]:
    """One task that all others wait for: it has more to do, or its machine is slower."""
    scored = [host for host in hosts if host["slowest_task_seconds"] is not None]
    others = sum(host["tasks"] for host in scored) - 1
    if others < 1:
        return
    worst = max(scored, key=lambda host: host["slowest_task_seconds"])
    slowest = worst["slowest_task_seconds"]
    others_s = (sum(host["seconds"] for host in scored) - slowest) / others
    if slowest >= _TIMES_SLOWER * others_s and _is_notable(slowest - others_s, row):
        others_tokens = (row["tokens"] - worst["slowest_task_tokens"]) / others
        yield Finding(
            Cause.SLOW_TASK,
            f"one task scored {worst['slowest_task_tokens']:,} tokens in {slowest:.1f} s on {worst['host']}, the "
            f"others {others_tokens:,.0f} in {others_s:.1f} s on average; look at what else works on that machine",
        )


def _slow_input(row: Row) -> Iterator[Finding]:
    """The driver reads the end of each file before Spark reads any, and the times of some."""
    inventory = row["seconds"].get("inventory", 0.0)
    read = row["seconds"].get("read", 0.0)
    files = len(row["input_files"]) + row["refused_files"]
    if not files:
        return
    of_file = inventory / -(-files // _FOOTERS_AT_ONCE)
    is_slow = inventory >= _LEAST_S and of_file >= _LATENCY_S + row["input_bytes"] / files / _BYTES_PER_S
    if is_slow and _is_notable(inventory + read, row):
        yield Finding(
            Cause.SLOW_INPUT,
            f"looking at {files} input files took {inventory:.1f} s, {of_file:.1f} s each, and reading their "
            f"{row['input_bytes'] / 1e6:,.1f} MB {read:.1f} s; look at the storage of the input",
        )


def _is_notable(seconds: float, row: Row) -> bool:
    return seconds >= _LEAST_S and seconds >= _LEAST_SHARE * _total_s(row)


def _total_s(row: Row) -> float:
    total: float = (row["finished_at"] - row["started_at"]).total_seconds()
    return total


def _steps_s(row: Row) -> float:
    steps: Mapping[str, float] = row["seconds"]
    return sum(steps.values())


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} on {name}" for name, count in counts.items())
