"""The whole nightly job by spark-submit, as a scheduler runs it: what reuse saves, and what it costs.

    python -m benchmarks.nights --rows 40000 --model base
    python -m benchmarks.nights --rows 1000000 --model tiny --measure again new
    python -m benchmarks.nights --rows 200000 --model tiny --measure prepared

again     a night, and the same night once more: its texts are all in `text_scores`.
new       texts that `text_scores` does not have, though it has many others: what looking there in vain costs.
repeated  a night in which a share of the messages repeats another's text, with and without reuse within the night.
prepared  a night started by spark-submit and by tools/submit.sh: what a quicker start costs later in the night.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import BUILD, TINY_NOTE, BenchmarkError, default_data, find_model, write_parts
from benchmarks.machine import ROOT, write_result
from benchmarks.processes import run_to_end
from benchmarks.spark_jobs import text_column
from benchmarks.submits import prepare, submit_environment, submit_program
from emotion_udf.schemas import DAILY, RUNS
from emotion_udf.settings.nightly import Reuse

GOAL_AGAIN: Final = 10.0
"""How many times faster the second night is, at least."""

GOAL_NEW: Final = 0.05
"""What looking in vain costs, as a share of the night, at most."""

DAY: Final = date(2026, 10, 5)
EARLIER_DAY: Final = date(2026, 10, 4)
"""The day of the messages whose texts fill `text_scores` before `new` is measured."""

MEASURES: Final = ("again", "new", "repeated", "prepared")
_SOURCES = 10
_SECONDS_A_DAY = 86_400
_ROWS_A_FILE = 100_000
_SEED = 1


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Args:
        model: A model folder.
        cores: Spark's cores.
        driver_memory: Of spark-submit, in Spark's words; in local mode it is all that Spark has.
        rows: Messages of a night.
        history: Other texts that `text_scores` holds when new ones come.
        repeated_share: Of messages whose text another message has, in the night that repeats itself.
        repeats: How often each night is run.
        timeout_s: Seconds that one night may take.
        folder: Where input and warehouses go.
    """

    model: str
    cores: int
    driver_memory: str
    rows: int
    history: int
    repeated_share: float
    repeats: int
    timeout_s: float
    folder: Path


@dataclass(frozen=True)
class Night:
    """One night, as `runs` has it.

    Args:
        reuse: What was not scored again.
        wall_s: From the start of spark-submit to its end.
        run_s: From the run's start to its end, without the start of Spark.
        steps: Seconds of each step.
        rows: Messages labelled.
        distinct_texts: That the night scored, or had scores for.
        reused_texts: Of these, those that an earlier night had scored.
        engines: What scored the others.
    """

    reuse: Reuse
    wall_s: float
    run_s: float
    steps: dict[str, float]
    rows: int
    distinct_texts: int
    reused_texts: int
    engines: list[str]


# ---- input


def distinct_texts(texts: Iterable[str], first: int, rows: int) -> list[str]:
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
    """Return a message for each text, spread over a day and over some sources.

    Args:
        texts: What was written.
        day: When.
        first: The number that is the first message's id.
    """
    numbers = np.arange(first, first + len(texts))
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
    microseconds = np.arange(len(texts)) * (_SECONDS_A_DAY * 1_000_000) // max(1, len(texts))
    return pa.table(
        {
            "id": pa.array(numbers.astype(str), pa.string()),
            "text": pa.array(texts, pa.string()),
            "created_at": pa.array(midnight + microseconds, pa.timestamp("us", tz="UTC")),
            "source": pa.array([f"source-{n % _SOURCES}" for n in numbers.tolist()], pa.string()),
        }
    )


def write_messages(table: pa.Table, cores: int, folder: Path) -> Path:
    """Write messages as Parquet, in files of at most 100,000 rows, and at least one a core."""
    return write_parts(table, max(cores, -(-table.num_rows // _ROWS_A_FILE)), folder)


# ---- a night


def run_night(
    asked: Asked, feedback: Path, warehouse: Path, reuse: Reuse, day: date = DAY, prepared: bool = False
) -> Night:
    """Run the job by spark-submit, or by tools/submit.sh as prepared, and return what it says of itself.

    Raises:
        BenchmarkError: It failed, or took too long.
    """
    python = Path(sys.executable)
    dimensions = {"source": "source"}
    settings = {
        "input.path": feedback,
        **{f"input.dimensions.{name}": column for name, column in dimensions.items()},
        "warehouse.root": warehouse,
        "classifier.model": asked.model,
        "scores.reuse": reuse,
    }
    submit = [submit_program(python, prepared), "--master", f"local[{asked.cores},4]"]
    command = [
        *(*submit, "--driver-memory", asked.driver_memory),
        *("jobs/score_feedback.py", "--config", "conf/nightly.toml", "--date", day.isoformat()),
        *(f"--set={key}={value}" for key, value in settings.items()),
    ]
    log = asked.folder / "night.log"
    started = time.perf_counter()
    with log.open("w", encoding="utf-8") as stream:
        code = run_to_end(command, submit_environment(python, prepared), stream.fileno(), asked.timeout_s)
    wall_s = time.perf_counter() - started
    if code != 0:
        last_words = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
        ended = f"did not end within {asked.timeout_s:,.0f} s" if code is None else f"ended with exit code {code}"
        raise BenchmarkError(f"a night with reuse = {reuse!r} {ended}; it said:\n{last_words}")
    return last_night(warehouse, reuse, wall_s)


def last_night(warehouse: Path, reuse: Reuse, wall_s: float) -> Night:
    """Read the newest run of a warehouse."""
    run = max(DeltaTable(warehouse / RUNS).to_pyarrow_table().to_pylist(), key=lambda row: row["started_at"])
    return Night(
        reuse=reuse,
        wall_s=wall_s,
        run_s=(run["finished_at"] - run["started_at"]).total_seconds(),
        steps=dict(run["seconds"]),
        rows=run["rows_labelled"],
        distinct_texts=run["distinct_texts"],
        reused_texts=run["reused_texts"],
        engines=run["engines"],
    )


def daily_rows(warehouse: Path) -> list[tuple[Any, ...]]:
    """Return the rows of `emotion_daily` without their run, sorted."""
    table = DeltaTable(warehouse / DAILY).to_pyarrow_table()
    kept = table.drop_columns(["run_id"])
    return sorted(tuple(row.values()) for row in kept.select(sorted(kept.column_names)).to_pylist())


# ---- the measurements


def measure_again(asked: Asked, texts: Sequence[str]) -> dict[str, Any]:
    """Run a night over new texts, then the same night again, each time in a new warehouse."""
    feedback = write_messages(messages(texts, DAY), asked.cores, asked.folder / "again")
    first, second, identical = [], [], True
    for number in range(asked.repeats):
        warehouse = asked.folder / f"again-{number}"
        first.append(run_night(asked, feedback, warehouse, "history"))
        daily = daily_rows(warehouse)
        second.append(run_night(asked, feedback, warehouse, "history"))
        identical = identical and daily == daily_rows(warehouse)
        shutil.rmtree(warehouse)
    return {
        "nights": {"first": listed(first), "second": listed(second)},
        "times_faster": median(n.run_s for n in first) / median(n.run_s for n in second),
        "times_faster_wall": median(n.wall_s for n in first) / median(n.wall_s for n in second),
        "daily_rows_identical": identical,
    }


def measure_new(asked: Asked, texts: Sequence[str], others: Sequence[str]) -> dict[str, Any]:
    """Run a night over new texts with and without a look into `text_scores`, which holds others only.

    Each night finds the same warehouse, a copy: with the look, it adds its texts to the table.
    """
    earlier = write_messages(messages(others, EARLIER_DAY, first=len(texts)), asked.cores, asked.folder / "earlier")
    feedback = write_messages(messages(texts, DAY), asked.cores, asked.folder / "new")
    before = asked.folder / "before"
    run_night(asked, earlier, before, "history", EARLIER_DAY)

    def night(reuse: Reuse) -> Night:
        warehouse = shutil.copytree(before, asked.folder / "now")
        done = run_night(asked, feedback, warehouse, reuse)
        shutil.rmtree(warehouse)
        return done

    night_only, history = in_turns(lambda: night("night"), lambda: night("history"), asked.repeats)
    without, with_look = (median(n.run_s for n in nights) for nights in (night_only, history))
    return {
        "history_texts": len(others),
        "nights": {"night": listed(night_only), "history": listed(history)},
        "extra_s": with_look - without,
        "extra_share": with_look / without - 1,
        "extra_s_by_step": difference(median_steps(history), median_steps(night_only)),
    }


def measure_repeated(asked: Asked, texts: Sequence[str]) -> dict[str, Any]:
    """Run a night in which texts repeat with and without reuse within it, each in a new warehouse."""
    distinct = max(1, round(asked.rows * (1 - asked.repeated_share)))
    table = messages(repeated_texts(texts[:distinct], asked.rows), DAY)
    feedback = write_messages(table, asked.cores, asked.folder / "repeated")

    def night(reuse: Reuse) -> Night:
        warehouse = asked.folder / "repeated-now"
        done = run_night(asked, feedback, warehouse, reuse)
        shutil.rmtree(warehouse)
        return done

    off, night_only = in_turns(lambda: night("off"), lambda: night("night"), asked.repeats)
    return {
        "repeated_share": asked.repeated_share,
        "nights": {"off": listed(off), "night": listed(night_only)},
        "times_faster": median(n.run_s for n in off) / median(n.run_s for n in night_only),
        "saved_s_by_step": difference(median_steps(off), median_steps(night_only)),
    }


def measure_prepared(asked: Asked, texts: Sequence[str]) -> dict[str, Any]:
    """Run a night by plain spark-submit and by tools/submit.sh, each in a new warehouse."""
    prepare(asked.timeout_s)
    feedback = write_messages(messages(texts, DAY), asked.cores, asked.folder / "prepared")

    def night(prepared: bool) -> Night:
        warehouse = asked.folder / "prepared-now"
        done = run_night(asked, feedback, warehouse, "history", prepared=prepared)
        shutil.rmtree(warehouse)
        return done

    plain, prepared = in_turns(lambda: night(False), lambda: night(True), asked.repeats)
    return {
        "nights": {"spark-submit": listed(plain), "submit.sh": listed(prepared)},
        "saved_s_wall": median(n.wall_s for n in plain) - median(n.wall_s for n in prepared),
        "saved_s_by_step": difference(median_steps(plain), median_steps(prepared)),
    }


def in_turns(one: Callable[[], Night], other: Callable[[], Night], repeats: int) -> tuple[list[Night], list[Night]]:
    """Run two kinds of night in turns; who goes first changes, so that neither has the warmer machine."""
    ones: list[Night] = []
    others: list[Night] = []
    for number in range(repeats):
        turns = [(ones, one), (others, other)]
        for nights, night in turns if number % 2 == 0 else reversed(turns):
            nights.append(night())
    return ones, others


def listed(nights: Sequence[Night]) -> list[dict[str, Any]]:
    """Return nights as JSON has them."""
    return [asdict(night) for night in nights]


def median_steps(nights: Sequence[Night]) -> dict[str, float]:
    """Return the median seconds of each step."""
    return {step: median(night.steps[step] for night in nights) for step in nights[0].steps}


def difference(steps: Mapping[str, float], less: Mapping[str, float]) -> dict[str, float]:
    """Return by how many seconds each step of the first is longer."""
    return {step: round(seconds - less[step], 3) for step, seconds in steps.items()}


# ---- what is told


def words_of(name: str, measured: Mapping[str, Any]) -> str:
    """Say in a line what a measurement gave, and whether it met its goal."""
    if name == "again":
        times, same = measured["times_faster"], measured["daily_rows_identical"]
        rows = "has the same rows" if same else "HAS OTHER ROWS"
        faster = f"second night {times:.1f} times faster ({_goal(times >= GOAL_AGAIN, '10 times')})"
        return f"{faster}; emotion_daily {rows}"
    if name == "new":
        extra, share = measured["extra_s"], measured["extra_share"]
        return (
            f"looking for new texts among {measured['history_texts']:,} others costs {extra:+.2f} s, {share:+.1%} "
            f"({_goal(share < GOAL_NEW, 'under 5 %')})"
        )
    if name == "prepared":
        return f"tools/submit.sh, prepared, saves {measured['saved_s_wall']:.1f} s of a night by spark-submit"
    faster = f"{measured['times_faster']:.2f} times faster than reuse = off"
    return f"with {measured['repeated_share']:.0%} repeated texts, reuse = night is {faster}"


def _goal(met: bool, goal: str) -> str:
    return f"goal: {goal}, {'met' if met else 'not met'}"


def table_of(results: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """Return the terminal's table: a column for each kind of night, with its medians."""
    kinds = {f"{name}\n{kind}": nights for name in results for kind, nights in results[name]["nights"].items()}
    table = Table(title=title, caption="\n".join(words_of(name, measured) for name, measured in results.items()))
    table.add_column("")
    for kind in kinds:
        table.add_column(kind, justify="right")
    scored = (nights[0]["distinct_texts"] - nights[0]["reused_texts"] for nights in kinds.values())
    table.add_row("texts scored", *(f"{texts:,}" for texts in scored))
    for heading, key in (("wall s", "wall_s"), ("run s", "run_s")):
        table.add_row(heading, *(f"{median(night[key] for night in nights):.1f}" for nights in kinds.values()))
    for step in next(iter(kinds.values()))[0]["steps"]:
        seconds = (median(night["steps"][step] for night in nights) for nights in kinds.values())
        table.add_row(f"  {step}", *(f"{value:.1f}" for value in seconds))
    return table


def measure(asked: Asked, measures: Sequence[str], data: Path) -> dict[str, dict[str, Any]]:
    """Measure what is asked for, in a folder that is empty before and removed afterwards."""
    own = text_column(data).to_pylist()
    texts = distinct_texts(own, 0, asked.rows)
    shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True)
    results: dict[str, dict[str, Any]] = {}
    if "again" in measures:
        results["again"] = measure_again(asked, texts)
    if "new" in measures:
        results["new"] = measure_new(asked, texts, distinct_texts(own, asked.rows, asked.history))
    if "repeated" in measures:
        results["repeated"] = measure_repeated(asked, texts)
    if "prepared" in measures:
        results["prepared"] = measure_prepared(asked, texts)
    shutil.rmtree(asked.folder)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 where the second night gave other numbers, 2 where it cannot be measured as asked."""
    options = _parse(arguments)
    console = Console()
    try:
        asked = Asked(
            model=str(find_model(options.model)),
            cores=options.cores,
            driver_memory=options.driver_memory,
            rows=options.rows,
            history=options.rows if options.history is None else options.history,
            repeated_share=options.repeated_share,
            repeats=options.repeats,
            timeout_s=options.timeout,
            folder=options.work.resolve(),
        )
        results = measure(asked, options.measure, options.data)
    except BenchmarkError as error:
        Console(stderr=True).print(f"nights: {error}", markup=False, highlight=False)
        return 2
    # A result says what was asked, not where on a machine its files lay.
    listed_settings = {name: value for name, value in asdict(asked).items() if name != "folder"}
    about: dict[str, Any] = {"asked": listed_settings | {"model": options.model}}
    if options.model == "tiny":
        about["note"] = TINY_NOTE
    write_result(options.out, about | results)
    console.print(table_of(results, f"{options.rows:,} messages a night, {options.model} model, {options.cores} cores"))
    if "note" in about:
        console.print(about["note"])
    return 0 if results.get("again", {}).get("daily_rows_identical", True) else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the nightly job with and without reuse of scores.")
    parser.add_argument("--measure", nargs="+", choices=MEASURES, default=MEASURES, help="what; all by default")
    parser.add_argument("--rows", type=int, default=40_000, help="messages of a night")
    parser.add_argument("--model", default="bundled", help="tiny, bundled, base or a model folder")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3, help="nights of each kind; medians count")
    parser.add_argument("--history", type=int, metavar="N", help="other texts in text_scores; as many as --rows")
    parser.add_argument("--repeated-share", type=float, default=0.5, metavar="SHARE", help="of messages, for repeated")
    parser.add_argument("--driver-memory", default="1g", help="of spark-submit; 1g is Spark's default")
    parser.add_argument("--timeout", type=float, default=7_200, metavar="S", help="seconds that one night may take")
    parser.add_argument("--data", type=Path, default=default_data(), help="a Parquet file with the column text")
    parser.add_argument(
        "--work", type=Path, default=BUILD / "nights", help="a folder for input and warehouses; it is emptied"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "nights.json")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
