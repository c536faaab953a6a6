"""Run a benchmark: read its options, collect its rows, write the record, print the table.

A benchmark yields rows, one for each line of its table. The record is written anew after each row, so that a later row
that fails or takes too long costs nothing of what was measured before.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchmarks.machine import ROOT, commit, describe_machine, versions
from emotion_udf.errors import UsageError

BUILD: Final = ROOT / "build" / "benchmarks"
"""Where benchmarks leave what they make: records, models, inputs and logs."""

DATA: Final = Path(os.environ.get("EMOTION_UDF_DATA", "../shared/data"))

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


def run(
    name: str,
    add_options: Callable[[Parser], None],
    measure: Callable[[Options], Iterator[Row]],
    goals: Callable[[Sequence[Row]], list[Goal]] = lambda _: [],
    arguments: Sequence[str] | None = None,
    package: str = "benchmarks",
) -> int:
    """Run a benchmark from its command line.

    Args:
        name: The module that it is run as, below `package`.
        add_options: Adds its options to a parser; `--out` is there already.
        measure: Yields its rows. Raises `BenchmarkError` or `UsageError` where it cannot run as asked.
        goals: Compares rows that did not fail, at least one, with what they should be.
        arguments: The command line; this process's own by default.
        package: Where its module is.

    Returns:
        0; 1 where a row failed or a required goal was missed; 2 where it cannot be run as asked.
    """
    parser = Parser(prog=f"python -m {package}.{name}")
    parser.add_argument("--out", type=Path, default=BUILD / f"{name}.json", help="the record to write")
    add_options(parser)
    options = parser.parse_args(arguments)
    # Of files and folders the names, not where on this machine they lie.
    asked = {key: value.name if isinstance(value, Path) else value for key, value in vars(options).items()}
    record = {
        "benchmark": name,
        "options": asked,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": describe_machine(),
        "versions": versions(),
    }
    rows: list[Row] = []
    try:
        for row in measure(options):
            rows.append(row)
            _write(options.out, record | {"rows": rows})
            print(*(f"{key} {text}" for key, text in _texts(row).items()), sep=", ", file=sys.stderr, flush=True)
    except (BenchmarkError, UsageError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    measured = [row for row in rows if "failed" not in row]
    reached = goals(measured) if measured else []
    _write(options.out, record | {"rows": rows, "goals": [asdict(goal) | {"is_met": goal.is_met} for goal in reached]})
    print(to_table(rows), *reached, sep="\n")
    return 1 if len(measured) < len(rows) or any(goal.is_required and not goal.is_met for goal in reached) else 0


def attempt(names: Row, measure: Callable[[], Row]) -> Row:
    """Return `names` with what `measure` returns, or with the first line of what it raises as `failed`."""
    try:
        return names | measure()
    except Exception as error:
        first_line = (str(error).splitlines() or [""])[0]
        return names | {"failed": f"{type(error).__name__}: {first_line}"}


def add_common(parser: Parser, **defaults: Any) -> None:
    """Add options that several benchmarks have, each with its default."""
    known: dict[str, tuple[Callable[[str], Any], str]] = {
        "rows": (positive, "messages"),
        "cores": (positive, "Spark's cores, or processes of one thread"),
        "repeats": (positive, "timed repetitions; the median counts"),
        "timeout": (float, "seconds that one process may take"),
        "data": (Path, "Parquet with the column text; or probes, for the package's own sentences"),
        "model": (Path, "bundled, base or tiny (the same at other sizes), or a model folder"),
    }
    for name, default in defaults.items():
        read, meaning = known[name]
        parser.add_argument(f"--{name}", type=read, default=default, help=meaning)


def positive(text: str) -> int:
    """Read a whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found {text}")
    return number


def to_table(rows: Sequence[Row]) -> str:
    """Return the rows as a table; with fewer rows than figures each figure has a line."""
    frame = pd.DataFrame([_texts(row) for row in rows]).fillna("")
    if len(frame) >= len(frame.columns):
        return str(frame.to_string(index=False))
    return str(frame.T.to_string(header=False))


def to_text(value: Any) -> str:
    """Return a value for people: four digits of a number."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    return f"{value:,}" if type(value) is int else str(value)


def _texts(row: Row) -> dict[str, str]:
    shown = {name: value for name, value in row.items() if value is not None and not isinstance(value, list | dict)}
    return {name: to_text(value) for name, value in shown.items()}


def _write(out: Path, record: dict[str, Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
