"""A year of small nights in one warehouse: what the last night costs more than an early one.

python -m tools.measure_nights
python -m tools.measure_nights --nights 30 --at 10 30

The job runs once, with `--each-day`, so that a night is not its start. The input grows as it does in a lake: a folder a
day, `dt=2026-01-01`. Seconds are medians of the ten nights up to the one named; files are as they were after it.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from benchmarks.harness import BUILD, DATA, BenchmarkError, Goal, Options, Parser, Row, add_common, positive, run
from benchmarks.inputs import find_model, read_texts, to_messages
from benchmarks.nights import distinct_texts
from tools.session_watch import SessionWatch, submit_watched

MOST_GROWTH: Final = 1.5
"""What a night may cost after a year, as a multiple of what it costs after a month."""

_FOLDER = BUILD / "year"
_FIRST = date(2026, 1, 1)
_SMOOTHED = 10
_STEPS = ("inventory", "gate", "publish")
_TABLES = ("emotion_labels", "emotion_daily", "emotion_terms", "quarantine", "text_scores", "runs", "releases")


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_common(parser, rows=40, data=DATA / "tweets.parquet", model="tiny", cores=2, timeout=7_200)
    parser.add_argument("--nights", type=positive, default=365)
    parser.add_argument("--at", type=positive, nargs="+", default=[30, 100, 200, 365], help="nights to look at")


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each night that is looked at."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    feedback = write_days(read_texts(options.data), options.nights, options.rows, _FOLDER / "feedback")
    watch = run_days(feedback, _FOLDER / "warehouse", options)
    runs = DeltaTable(_FOLDER / "warehouse" / "runs").to_pyarrow_table().to_pylist(maps_as_pydicts="strict")
    published = sorted((run for run in runs if run["outcome"] == "published"), key=lambda run: run["started_at"])
    if len(published) < options.nights:
        raise BenchmarkError(f"expected {options.nights} published nights, found {len(published)}; see {_FOLDER}/log")
    for number in options.at:
        yield (
            {"night": number} | night_costs(published[:number][-_SMOOTHED:], watch) | night_files(published[number - 1])
        )


def run_days(feedback: Path, warehouse: Path, options: Options) -> SessionWatch:
    """Run the job over all days, one by one, and return what watched it.

    Raises:
        BenchmarkError: It failed or took too long.
    """
    last = _FIRST + timedelta(days=options.nights - 1)
    settings = {
        "input.path": feedback,
        "input.date_partition": "dt",
        "input.dimensions.source": "source",
        "warehouse.root": warehouse,
        "classifier.model": find_model(options.model),
        "gate.max_canary_error_share": 1,  # tiny knows nothing
        "gate.max_drift": 1,  # so few tweets a day differ by chance
    }
    command = [
        *("--master", f"local[{options.cores},4]"),
        *("jobs/score_feedback.py", "--config", "conf/nightly.toml", "--each-day", f"--from={_FIRST}", f"--to={last}"),
        *(f"--set={key}={value}" for key, value in settings.items()),
    ]
    return submit_watched(command, _FOLDER / "log", options.timeout)[1]


def night_costs(runs: Sequence[dict[str, Any]], watch: SessionWatch) -> Row:
    """Return the median seconds of some nights, in all and of the steps that look at what is there."""
    spans = [(run["started_at"].timestamp(), run["finished_at"].timestamp()) for run in runs]
    return {
        "run_s": median(end - start for start, end in spans),
        "cpu_s": median(watch.cpu_between(start, end) for start, end in spans),
        **{f"{step}_s": median(run["seconds"][step] for run in runs) for step in _STEPS},
    }


def night_files(run: dict[str, Any]) -> Row:
    """Return how many files the tables had after a night, and what a reader of their logs had to read."""
    found: Row = {}
    unread = []
    for name in _TABLES:
        folder = _FOLDER / "warehouse" / name
        if not folder.is_dir():
            continue
        moment = run["finished_at"].timestamp() + 1  # upkeep comes after it, and the next night later
        entries = [entry for entry in DeltaTable(folder).history() if entry["timestamp"] / 1000 <= moment]
        newest = max(entry["version"] for entry in entries)
        found[f"{name}_files"] = len(DeltaTable(folder, version=newest).file_uris())
        checkpoints = [int(file.name[:20]) for file in (folder / "_delta_log").glob("*.checkpoint.parquet")]
        unread.append(newest - max((version for version in checkpoints if version <= newest), default=-1))
    return found | {"unread_commits": max(unread)}


def write_days(own: Sequence[str], days: int, rows: int, folder: Path) -> Path:
    """Write a folder a day with as many messages each, whose texts no other day has."""
    for number in range(days):
        day = _FIRST + timedelta(days=number)
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        table = to_messages(distinct_texts(own, number * rows, rows), number * rows)
        table = table.append_column("created_at", pa.array([noon] * rows, pa.timestamp("us", tz="UTC")))
        table = table.append_column("source", pa.array([f"source-{row % 3}" for row in range(rows)]))
        (folder / f"dt={day}").mkdir(parents=True)
        pq.write_table(table, folder / f"dt={day}" / "part-0.parquet")
    return folder


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare the last night that was looked at with the first."""
    first, last = rows[0], rows[-1]
    names = [name for name in first if name.endswith("_s")]
    title = f"night {last['night']}, times night {first['night']}"
    found = [Goal(f"{name}, {title}", last[name] / first[name], MOST_GROWTH, False) for name in names]
    return [*found, Goal("commits to read", max(row["unread_commits"] for row in rows), 12, False)]


if __name__ == "__main__":
    sys.exit(run("measure_nights", add_options, measure, goals, package="tools"))
