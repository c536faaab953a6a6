"""The whole nightly job by spark-submit, as a scheduler runs it: what reuse of scores saves, and what it costs.

    python -m benchmarks.nights --rows 40000 --model base
    python -m benchmarks.nights --rows 1000000 --model tiny --measure again,new

again     a night, and the same night once more: its texts are all in `text_scores`.
new       texts that `text_scores` does not have, though it has many others: what looking there in vain costs.
repeated  a night in which a share of the messages repeats another's text, with and without reuse within the night.
prepared  a night started by spark-submit and by tools/submit.sh: what a quicker start costs later in the night.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from benchmarks.harness import (
    BUILD,
    Benchmark,
    BenchmarkError,
    Goal,
    Options,
    Parser,
    Row,
    add_cores,
    add_messages,
    add_model,
    add_repeats,
    add_timeout,
    run,
)
from benchmarks.inputs import find_model, numbered, read_messages, write_parts
from benchmarks.launchers import prepare_submit, run_logged, submit_command, submit_environment
from emotion_udf.schemas import DAILY, RUNS

LEAST_TIMES_FASTER: Final = 10.0
"""How many times as fast the second night is."""

MOST_EXTRA: Final = 0.05
"""What looking in vain costs, as a share of the night."""

DAY: Final = date(2026, 10, 5)
EARLIER_DAY: Final = date(2026, 10, 4)
"""The day of the messages whose texts fill `text_scores` before `new` is measured."""

_SOURCES = 10
_DAY_US = 86_400 * 1_000_000
_ROWS_A_FILE = 100_000
_SEED = 1


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_messages(parser, rows=40_000)
    add_model(parser, "bundled")
    add_cores(parser)
    add_repeats(parser)
    add_timeout(parser, 7_200)
    measures = parser.add_argument("--measure", type=lambda text: text.split(","))
    measures.default = list(MEASURES)
    measures.help = f"of {', '.join(MEASURES)}"
    parser.add_argument("--history", type=int, help="other texts in text_scores; as many as --rows by default")
    parser.add_argument("--repeated-share", type=float, default=0.5, help="of the messages of repeated")
    parser.add_argument("--driver-memory", default="1g", help="of spark-submit; 1g is Spark's default")


def measure(options: Options) -> Iterator[Row]:
    """Yield two rows for each measurement, a row for each of the two sorts of night that it compares."""
    unknown = [name for name in options.measure if name not in MEASURES]
    if unknown:
        raise BenchmarkError(f"expected --measure from {', '.join(MEASURES)}, found {', '.join(unknown)}")
    nights = Nights(options, find_model(options.model), BUILD / "nights")
    shutil.rmtree(nights.folder, ignore_errors=True)
    for name in options.measure:
        yield from MEASURES[name](nights)
    shutil.rmtree(nights.folder)


@dataclass(frozen=True)
class Nights:
    """Runs nights.

    Attributes:
        options: As the command line has them.
        model: The model folder.
        folder: Where input and warehouses go.
    """

    options: Options
    model: Path
    folder: Path

    def run(self, feedback: Path, warehouse: Path, reuse: str, day: date = DAY, prepared: bool = False) -> Row:
        """Run the job on a folder of messages and return what its newest row in `runs` says, in seconds.

        Raises:
            BenchmarkError: It failed or took too long.
        """
        python = Path(sys.executable)
        settings = {
            "input.path": feedback,
            "input.dimensions.source": "source",
            "warehouse.root": warehouse,
            "classifier.model": self.model,
            "scores.reuse": reuse,
        }
        command = [
            *(*submit_command(python, prepared), "--master", f"local[{self.options.cores},4]"),
            *("--driver-memory", self.options.driver_memory, "jobs/score_feedback.py"),
            *("--config", "conf/nightly.toml", "--date", day.isoformat()),
            *(f"--set={key}={value}" for key, value in settings.items()),
        ]
        started = time.perf_counter()
        log = self.folder / "night.log"
        run_logged(command, submit_environment(python, prepared), log, self.options.timeout)
        return {"wall_s": time.perf_counter() - started} | newest_run(warehouse)

    def run_in_new_warehouse(self, feedback: Path, reuse: str, prepared: bool = False, copy_of: Path | None = None) -> Row:
        """Run the job in a warehouse that is empty, or a copy of another one, and removed afterwards."""
        warehouse = self.folder / "now"
        if copy_of:
            shutil.copytree(copy_of, warehouse)
        row = self.run(feedback, warehouse, reuse, prepared=prepared)
        shutil.rmtree(warehouse)
        return row

    def texts(self, first: int = 0, rows: int | None = None) -> list[str]:
        """Return distinct texts, as many as a night has."""
        own = read_messages(self.options.data)["text"].to_pylist()
        return distinct_texts(own, first, self.options.rows if rows is None else rows)

    def write(self, name: str, texts: Sequence[str], day: date = DAY, first: int = 0) -> Path:
        """Write a message for each text, in files of at most 100,000 rows and at least one a core."""
        parts = max(self.options.cores, -(-len(texts) // _ROWS_A_FILE))
        return write_parts(messages(texts, day, first), parts, self.folder / name)


# ---- input


def distinct_texts(texts: Sequence[str], first: int, rows: int) -> list[str]:
    """Return `rows` texts of an endless series in which none occurs twice, from its text `first` on.

    The series begins with the texts themselves, each once; then they come again and again with their running number
    at the end, which makes them a word longer.

    Raises:
        BenchmarkError: A text ends with a number so that it equals another one of the series.
    """
    own = list(dict.fromkeys(texts))
    made = [own[n % len(own)] if n < len(own) else f"{own[n % len(own)]} {n}" for n in range(first, first + rows)]
    if len(set(made)) < rows:
        raise BenchmarkError("expected texts that a running number makes distinct, found two that it makes equal")
    return made


def repeated_texts(distinct: Sequence[str], rows: int) -> list[str]:
    """Return `rows` texts in a random order that is always the same, each text about equally often."""
    order = np.random.default_rng(_SEED).permutation(rows)
    return [distinct[n % len(distinct)] for n in order]


def messages(texts: Sequence[str], day: date, first: int = 0) -> pa.Table:
    """Return a message for each text, spread over a day and over some sources; ids count from `first`."""
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
    moments = midnight + np.arange(len(texts)) * _DAY_US // max(1, len(texts))
    sources = [f"source-{n % _SOURCES}" for n in range(first, first + len(texts))]
    return (
        numbered(texts, first)
        .append_column("created_at", pa.array(moments, pa.timestamp("us", tz="UTC")))
        .append_column("source", pa.array(sources, pa.string()))
    )


# ---- output


def newest_run(warehouse: Path) -> Row:
    """Return what the newest run of a warehouse says: seconds in all and of each step, and what was scored."""
    run = max(DeltaTable(warehouse / RUNS).to_pyarrow_table().to_pylist(), key=lambda row: row["started_at"])
    return {
        "run_s": (run["finished_at"] - run["started_at"]).total_seconds(),
        "steps": dict(run["seconds"]),
        "texts_scored": run["distinct_texts"] - run["reused_texts"],
        "engines": run["engines"],
    }


def daily_rows(warehouse: Path) -> list[tuple[Any, ...]]:
    """Return the rows of `emotion_daily` without their run, sorted."""
    table = DeltaTable(warehouse / DAILY).to_pyarrow_table()
    kept = table.drop_columns(["run_id"])
    return sorted(tuple(row.values()) for row in kept.select(sorted(kept.column_names)).to_pylist())


def to_row(measured: str, night: str, runs: Sequence[Row]) -> Row:
    """Return the row of a sort of night: medians of its runs."""
    return {
        "measure": measured,
        "night": night,
        "texts_scored": runs[0]["texts_scored"],
        "wall_s": median(run["wall_s"] for run in runs),
        "run_s": median(run["run_s"] for run in runs),
        **{f"{step}_s": median(run["steps"][step] for run in runs) for step in runs[0]["steps"]},
        "runs": list(runs),
    }


# ---- measurements


def measure_again(nights: Nights) -> Iterator[Row]:
    """Run a night over new texts, then the same night again, each time in a new warehouse."""
    feedback = nights.write("again", nights.texts())
    first: list[Row] = []
    second: list[Row] = []
    identical = True
    for number in range(nights.options.repeats):
        warehouse = nights.folder / f"again-{number}"
        first.append(nights.run(feedback, warehouse, "history"))
        daily = daily_rows(warehouse)
        second.append(nights.run(feedback, warehouse, "history"))
        identical = identical and daily == daily_rows(warehouse)
    yield to_row("again", "first", first)
    yield to_row("again", "second", second) | {"daily_identical": identical}


def measure_new(nights: Nights) -> Iterator[Row]:
    """Run a night over new texts with and without a look into `text_scores`, which holds others only."""
    rows = nights.options.rows
    history = rows if nights.options.history is None else nights.options.history
    earlier = nights.write("earlier", nights.texts(rows, history), EARLIER_DAY, first=rows)
    feedback = nights.write("new", nights.texts())
    before = nights.folder / "before"
    nights.run(earlier, before, "history", EARLIER_DAY)
    # Each night finds a copy: with the look, it adds its texts to the table.
    yield from in_turns(
        "new",
        {
            "without history": lambda: nights.run_in_new_warehouse(feedback, "night", copy_of=before),
            "with history": lambda: nights.run_in_new_warehouse(feedback, "history", copy_of=before),
        },
        nights.options.repeats,
    )


def measure_repeated(nights: Nights) -> Iterator[Row]:
    """Run a night in which texts repeat with and without reuse within it."""
    distinct = max(1, round(nights.options.rows * (1 - nights.options.repeated_share)))
    feedback = nights.write("repeated", repeated_texts(nights.texts()[:distinct], nights.options.rows))
    yield from in_turns(
        "repeated",
        {
            "reuse off": lambda: nights.run_in_new_warehouse(feedback, "off"),
            "reuse night": lambda: nights.run_in_new_warehouse(feedback, "night"),
        },
        nights.options.repeats,
    )


def measure_prepared(nights: Nights) -> Iterator[Row]:
    """Run a night by plain spark-submit and by tools/submit.sh."""
    prepare_submit(nights.options.timeout)
    feedback = nights.write("prepared", nights.texts())
    yield from in_turns(
        "prepared",
        {
            "spark-submit": lambda: nights.run_in_new_warehouse(feedback, "history"),
            "submit.sh": lambda: nights.run_in_new_warehouse(feedback, "history", prepared=True),
        },
        nights.options.repeats,
    )


MEASURES: Final[dict[str, Callable[[Nights], Iterator[Row]]]] = {
    "again": measure_again,
    "new": measure_new,
    "repeated": measure_repeated,
    "prepared": measure_prepared,
}


def in_turns(measured: str, sorts: dict[str, Callable[[], Row]], repeats: int) -> Iterator[Row]:
    """Run sorts of night in turns; who goes first changes, so that none has the warmer machine."""
    runs: dict[str, list[Row]] = {name: [] for name in sorts}
    for number in range(repeats):
        turns = list(sorts.items())
        for name, night in turns if number % 2 == 0 else reversed(turns):
            runs[name].append(night())
    for name, of_sort in runs.items():
        yield to_row(measured, name, of_sort)


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare the nights of each measurement; a second night with another `emotion_daily` is an error."""
    run_s = {(row["measure"], row["night"]): row["run_s"] for row in rows}
    found = []
    if ("again", "second") in run_s:
        times = run_s["again", "first"] / run_s["again", "second"]
        identical = all(row.get("daily_identical", True) for row in rows)
        found.append(Goal("second night, times as fast", times, LEAST_TIMES_FASTER))
        found.append(Goal("emotion_daily identical", float(identical), 1, is_required=True))
    if ("new", "with history") in run_s:
        extra = run_s["new", "with history"] / run_s["new", "without history"] - 1
        found.append(Goal("looking for new texts, share of the night", extra, MOST_EXTRA, is_least=False))
    return found


BENCHMARK: Final = Benchmark("nights", "Measure whole nights by spark-submit.", add_options, measure, goals)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
