"""Run a benchmark: read its options, collect its rows, write the record, print the table.

    BENCHMARK = Benchmark("scoring", "Measure the bare classifier.", add_options, measure, goals)

    if __name__ == "__main__":
        sys.exit(run(BENCHMARK))

A benchmark yields rows, one for each line of its table. The record is written anew after each row, so that a later row
that fails or takes too long costs nothing of what was measured before.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchmarks.machine import ROOT, commit, describe_gpu, describe_machine, versions
from emotion_udf.errors import UsageError

BUILD: Final = ROOT / "build" / "benchmarks"
"""Where benchmarks leave what they make: records, models, inputs and logs."""

Row = dict[str, Any]
"""A line of a table. Numbers and words are printed; lists and mappings, raw seconds above all, stay in the record.

A row that could not be measured says why in `failed`."""

Options = argparse.Namespace
Parser = argparse.ArgumentParser


class BenchmarkError(Exception):
    """A benchmark cannot be run as asked; the message says what to change."""


@dataclass(frozen=True)
class Goal:
    """A measured figure and its limit.

    Attributes:
        name: Of the figure.
        value: What was measured.
        limit: What it should be.
        is_least: Whether the limit is the least value; otherwise it is the most.
        is_required: Whether a benchmark that misses it ends with exit code 1.
    """

    name: str
    value: float
    limit: float
    is_least: bool = True
    is_required: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the value is within the limit; not where it is NaN."""
        return self.value >= self.limit if self.is_least else self.value <= self.limit

    def __str__(self) -> str:
        limit = f"at {'least' if self.is_least else 'most'} {to_text(self.limit)}"
        return f"{self.name}: {to_text(self.value)} (goal: {limit}, {'met' if self.is_met else 'not met'})"


@dataclass(frozen=True)
class Benchmark:
    """A measurement that has a command of its own.

    Attributes:
        name: The module that it is run as, below `benchmarks`.
        about: What it measures, for `--help`.
        add_options: Adds its options to a parser; `--out` is there already.
        measure: Yields its rows. Raises `BenchmarkError` or `UsageError` where it cannot run as asked.
        goals: Compares its rows, at least one, with what they should be.
    """

    name: str
    about: str
    add_options: Callable[[Parser], None]
    measure: Callable[[Options], Iterator[Row]]
    goals: Callable[[Sequence[Row]], list[Goal]] = lambda _: []


def run(benchmark: Benchmark, arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark from its command line.

    Returns:
        0; 1 where a row failed or a required goal was missed; 2 where it cannot be run as asked.
    """
    options = _read_options(benchmark, arguments)
    record: dict[str, Any] = describe_run(benchmark.name, options) | {"rows": [], "goals": []}
    try:
        for row in benchmark.measure(options):
            record["rows"].append(row)
            write_record(options.out, record)
            print(f"{benchmark.name}: {_one_line(row)}", file=sys.stderr, flush=True)
    except (BenchmarkError, UsageError) as error:
        print(f"{benchmark.name}: {error}", file=sys.stderr)
        return 2
    goals = benchmark.goals(record["rows"])
    record["goals"] = [asdict(goal) | {"is_met": goal.is_met} for goal in goals]
    write_record(options.out, record)
    print(to_table(record["rows"]), *goals, sep="\n")
    failed = any("failed" in row for row in record["rows"])
    return 1 if failed or any(goal.is_required and not goal.is_met for goal in goals) else 0


def describe_run(name: str, options: Options) -> dict[str, Any]:
    """Return the head of a record: what was asked, when, of which commit, on which machine, with which versions.

    Of files and folders it holds the names, not where on a machine they lie.
    """
    asked = {key: value.name if isinstance(value, Path) else value for key, value in vars(options).items()}
    return {
        "benchmark": name,
        "options": {key: value for key, value in asked.items() if key != "out"},
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": describe_machine() | {"gpu": describe_gpu()},
        "versions": versions(),
    }


def write_record(out: Path, record: dict[str, Any]) -> None:
    """Write a record as JSON, and its folder where there is none."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def attempt(names: Row, measure: Callable[[], Row]) -> Row:
    """Return `names` with what `measure` returns, or with the first line of what it raises as `failed`."""
    try:
        return names | measure()
    except Exception as error:
        first_line = (str(error).splitlines() or [""])[0]
        return names | {"failed": f"{type(error).__name__}: {first_line}"}


# ---- table


def to_table(rows: Sequence[Row]) -> str:
    """Return the rows as a table; with fewer rows than figures each figure has a line."""
    frame = pd.DataFrame([{name: to_text(value) for name, value in _shown(row).items()} for row in rows]).fillna("")
    if len(frame) >= len(frame.columns):
        return str(frame.to_string(index=False))
    return str(frame.T.to_string(header=False))


def to_text(value: Any) -> str:
    """Return a value for people: four digits of a number."""
    if not isinstance(value, float):
        return f"{value:,}" if type(value) is int else str(value)
    return f"{value:,.0f}" if math.isfinite(value) and abs(value) >= 1_000 else f"{value:.4g}"


def _shown(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None and not isinstance(value, list | dict)}


def _one_line(row: Row) -> str:
    return ", ".join(f"{name} {to_text(value)}" for name, value in _shown(row).items())


# ---- options that several benchmarks have


def add_messages(parser: Parser, rows: int) -> None:
    """Add how many messages to use, and from which file."""
    parser.add_argument("--rows", type=positive, default=rows, help="messages")
    parser.add_argument("--data", type=Path, default=default_data(), help="Parquet with id and text, or probes")


def add_model(parser: Parser, model: str) -> None:
    """Add the model, by the names that `inputs.find_model` knows."""
    parser.add_argument("--model", default=model, help="base or tiny (random weights), bundled, or a model folder")


def add_cores(parser: Parser) -> None:
    """Add the number of cores; all by default."""
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--cores", type=positive, default=cores, help="Spark's cores, or processes of one thread")


def add_repeats(parser: Parser, repeats: int = 3) -> None:
    """Add the number of timed repetitions."""
    parser.add_argument("--repeats", type=positive, default=repeats, help="timed repetitions; the median counts")


def add_timeout(parser: Parser, seconds: float) -> None:
    """Add the seconds that one process may take."""
    parser.add_argument("--timeout", type=float, default=seconds, help="seconds that one process may take")


def positive(text: str) -> int:
    """Read a whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found {text}")
    return number


def positives(text: str) -> list[int]:
    """Read whole numbers above 0, such as 10000,100000."""
    return [positive(number) for number in text.split(",")]


def default_data() -> Path:
    """Return where the tweets are: below `EMOTION_UDF_DATA`, or beside the project."""
    return Path(os.environ.get("EMOTION_UDF_DATA", "../shared/data")) / "tweets.parquet"


def _read_options(benchmark: Benchmark, arguments: Sequence[str] | None) -> Options:
    parser = Parser(prog=f"python -m benchmarks.{benchmark.name}", description=benchmark.about)
    parser.add_argument("--out", type=Path, default=BUILD / f"{benchmark.name}.json", help="the record to write")
    benchmark.add_options(parser)
    return parser.parse_args(arguments)
