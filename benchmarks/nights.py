"""The whole nightly job by spark-submit, as a scheduler runs it: what reuse of scores saves, and what it costs.

    python -m benchmarks.nights --rows 40000 --model base

again     a night, and the same night once more: its texts are all in `text_scores`.
new       texts that `text_scores` does not have, though it has many others: what looking there in vain costs.
"""

import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from benchmarks.harness import BUILD, DATA, Goal, Options, Parser, Row, add_common, run
from benchmarks.inputs import find_model, read_texts, to_messages, write_parts
from benchmarks.launchers import submit
from benchmarks.machine import ROOT
from emotion_udf.schemas import DAILY, RUNS

LEAST_TIMES_FASTER: Final = 10.0  # the second night
MOST_EXTRA: Final = 0.05  # what looking in vain costs, as a share of the night

DAY: Final = date(2026, 10, 5)
EARLIER_DAY: Final = date(2026, 10, 4)

_FOLDER = BUILD / "nights"
_SOURCES = 10
_DAY_US = 86_400 * 1_000_000
_ROWS_A_FILE = 100_000


@dataclass(frozen=True)
class Night:
    """One of the nights that a measurement compares.

    Attributes:
        name: In the table.
        reuse: The setting `scores.reuse`.
        prepared: Whether tools/submit.sh starts it.
        root: The project's folder, of this version or another one.
    """

    name: str
    reuse: str = "history"
    prepared: bool = False
    root: Path = ROOT


MEASURES: Final = {
    "again": [Night("first"), Night("second")],
    "new": [Night("without history", reuse="night"), Night("with history")],
}


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_common(parser, rows=40_000, data=DATA / "tweets.parquet", model="bundled", cores=2, repeats=3, timeout=7_200)
    parser.add_argument("--measure", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--history", type=int, help="other texts in text_scores; as many as --rows by default")


def measure(options: Options) -> Iterator[Row]:
    """Yield two rows for each measurement, one for each of its nights; they take turns."""
    own = read_texts(options.data)
    for name in options.measure:
        shutil.rmtree(_FOLDER, ignore_errors=True)
        feedback = write_messages(distinct_texts(own, 0, options.rows), DAY, options.cores, _FOLDER / "feedback")
        before = _FOLDER / "before"
        if name == "new":
            others = distinct_texts(own, options.rows, options.history or options.rows)
            earlier = write_messages(others, EARLIER_DAY, options.cores, _FOLDER / "earlier")
            run_night(Night("earlier"), earlier, before, EARLIER_DAY, options)
        runs: dict[str, list[Row]] = {night.name: [] for night in MEASURES[name]}
        for number in range(options.repeats):
            in_order = name == "again" or number % 2 == 0  # otherwise who goes first changes
            for night in MEASURES[name] if in_order else reversed(MEASURES[name]):
                warehouse = _FOLDER / "now"
                if night.name != "second":  # which finds what the first one left
                    shutil.rmtree(warehouse, ignore_errors=True)
                    if before.exists():
                        shutil.copytree(before, warehouse)
                runs[night.name].append(run_night(night, feedback, warehouse, DAY, options))
        yield from (to_row(name, night, of_night) for night, of_night in runs.items())
    shutil.rmtree(_FOLDER)


def run_night(
    night: Night, feedback: Path, warehouse: Path, day: date, options: Options, days: int = 1, spark: Sequence[str] = ()
) -> Row:
    """Run the job on a folder of messages and return its seconds, and what its row in `runs` says.

    Args:
        night: How it is run.
        feedback: The messages.
        warehouse: The tables' folder.
        day: The first day of its window.
        options: `cores`, `model` and `timeout`.
        days: The days of its window.
        spark: More options of spark-submit.

    Raises:
        BenchmarkError: It failed or took too long.
    """
    settings = {
        "input.path": feedback,
        "input.dimensions.source": "source",
        "warehouse.root": warehouse,
        "classifier.model": "bundled" if str(options.model) == "bundled" else find_model(options.model),
        "scores.reuse": night.reuse,
        "gate.max_canary_error_share": 1,  # tiny knows nothing
    }
    last = day + timedelta(days=days - 1)
    window = ["--date", str(day)] if days == 1 else ["--from", str(day), "--to", str(last)]
    arguments = [
        *("--master", f"local[{options.cores},4]", *spark),
        *("jobs/score_feedback.py", "--config", "conf/nightly.toml", *window),
        *(f"--set={key}={value}" for key, value in settings.items()),
    ]
    log = warehouse.with_suffix(".log")
    spent = submit(arguments, Path(sys.executable), night.prepared, log, options.timeout, night.root)
    return spent | newest_run(warehouse)


def newest_run(warehouse: Path) -> Row:
    """Return the newest run's seconds in all and of each step, what was scored, and a digest of `emotion_daily`."""
    run = max(DeltaTable(warehouse / RUNS).to_pyarrow_table().to_pylist(), key=lambda row: row["started_at"])
    daily = DeltaTable(warehouse / DAILY).to_pyarrow_table().drop_columns(["run_id"]).to_pylist()
    digest = hashlib.sha256("\n".join(sorted(repr(sorted(row.items())) for row in daily)).encode())
    return {
        "run_s": (run["finished_at"] - run["started_at"]).total_seconds(),
        "steps": dict(run["seconds"]),
        "texts_scored": run["distinct_texts"] - run["reused_texts"],
        "engines": run["engines"],
        "daily": digest.hexdigest(),
    }


def to_row(measured: str, night: str, runs: Sequence[Row]) -> Row:
    """Return the row of a night: medians of its runs."""
    return {
        "measure": measured,
        "night": night,
        "texts_scored": runs[0]["texts_scored"],
        **{name: median(run[name] for run in runs) for name in ("wall_s", "cpu_s", "run_s")},
        **{f"{step}_s": median(run["steps"][step] for run in runs) for step in runs[0]["steps"]},
        "runs": list(runs),
    }


def distinct_texts(texts: Sequence[str], first: int, rows: int) -> list[str]:
    """Return `rows` texts of an endless series in which none occurs twice, from its text `first` on.

    The series begins with the texts themselves, each once; then they come again and again, each with its number in the
    series before it.
    """
    own = list(dict.fromkeys(texts))
    return [own[n] if n < len(own) else f"({n}) {own[n % len(own)]}" for n in range(first, first + rows)]


def write_messages(texts: Sequence[str], day: date, cores: int, folder: Path, days: int = 1) -> Path:
    """Write a message for each text, spread over days and some sources, in files of at most 100,000 rows."""
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
    moments = midnight + np.arange(len(texts)) * days * _DAY_US // max(1, len(texts))
    table = to_messages(texts).append_column("created_at", pa.array(moments, pa.timestamp("us", tz="UTC")))
    table = table.append_column("source", pa.array([f"source-{row % _SOURCES}" for row in range(len(texts))]))
    return write_parts(table, max(cores, -(-len(texts) // _ROWS_A_FILE)), folder)


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare the nights of `again` and `new`; that a second night gives another `emotion_daily` is an error."""
    run_s = {row["night"]: row["run_s"] for row in rows}
    found = []
    if "second" in run_s:
        times = run_s["first"] / run_s["second"]
        digests = {run["daily"] for row in rows if row["measure"] == "again" for run in row["runs"]}
        found.append(Goal("second night, times as fast", times, LEAST_TIMES_FASTER))
        found.append(Goal("different emotion_daily", len(digests), 1, is_least=False, is_required=True))
    if "with history" in run_s:
        extra = run_s["with history"] / run_s["without history"] - 1
        found.append(Goal("looking for new texts, share of the night", extra, MOST_EXTRA, is_least=False))
    return found


if __name__ == "__main__":
    sys.exit(run("nights", add_options, measure, goals))
