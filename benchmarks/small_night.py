"""A small night by spark-submit and by tools/submit.sh, in turns with the version before it: what start-up costs.

    python -m benchmarks.small_night --before REVISION

Each night finds a warehouse in which its own version has released an earlier night, of as many other messages. A night
more of each, which is not timed, writes Spark's event log: it tells the jobs.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks.harness import BUILD, DATA, BenchmarkError, Goal, Options, Parser, Row, add_common, positive, run
from benchmarks.inputs import read_texts
from benchmarks.launchers import submit
from benchmarks.machine import ROOT
from benchmarks.nights import DAY, Night, distinct_texts, run_night, to_row, write_messages

MOST_OF_A_DAY: Final = {"wall_s": 20.0, "cpu_s": 30.0, "jobs": 10.0}  # by spark-submit

_FOLDER = BUILD / "small_night"
_JOB_START = '"Event":"SparkListenerJobStart"'


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_common(parser, rows=1_333, data=DATA / "tweets.parquet", model="bundled", cores=2, repeats=5, timeout=1_200)
    parser.add_argument("--before", help="a revision of git to compare with; by default with none")
    ways = ["spark-submit", "submit.sh"]
    parser.add_argument("--started-by", nargs="+", choices=ways, default=ways)
    parser.add_argument("--days", type=positive, default=1, help="of the night, and of the earlier one")


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each version and way to start it; they take turns, so all rows come at the end."""
    shutil.rmtree(_FOLDER, ignore_errors=True)
    versions = {"now": ROOT}
    if options.before:
        versions = {"before": check_out(options.before, _FOLDER / "before")} | versions
    texts = distinct_texts(read_texts(options.data), 0, 2 * options.rows)
    earlier_day = DAY - timedelta(days=options.days)
    feedback = write_messages(texts[: options.rows], DAY, options.cores, _FOLDER / "feedback", options.days)
    earlier = write_messages(texts[options.rows :], earlier_day, options.cores, _FOLDER / "earlier", options.days)
    nights = [
        Night(f"{version}, {started_by}", prepared=started_by == "submit.sh", root=root)
        for started_by, (version, root) in product(options.started_by, versions.items())
        if started_by == "spark-submit" or (root / "tools" / "submit.sh").is_file()
    ]
    for version, root in versions.items():
        released = _FOLDER / f"released-{version}"
        run_night(Night("earlier", root=root), earlier, released, earlier_day, options, options.days)
    for night in nights:
        if night.prepared:
            submit(["--prepare"], Path(sys.executable), True, _FOLDER / "log", options.timeout, night.root)

    def run_one(night: Night, *spark: str) -> Row:
        warehouse = _FOLDER / "warehouse"
        shutil.rmtree(warehouse, ignore_errors=True)
        shutil.copytree(_FOLDER / f"released-{night.name.partition(',')[0]}", warehouse)
        return run_night(night, feedback, warehouse, DAY, options, options.days, spark)

    jobs: dict[str, int] = {}
    for night in nights:
        events = _FOLDER / "events" / night.name.replace(", ", "-")
        events.mkdir(parents=True)
        run_one(night, *log_events(events))
        jobs[night.name] = sum(file.read_text(encoding="utf-8").count(_JOB_START) for file in events.iterdir())
    runs: dict[str, list[Row]] = {night.name: [] for night in nights}
    for number in range(options.repeats):
        for night in nights if number % 2 == 0 else reversed(nights):  # who goes first changes
            runs[night.name].append(run_one(night))
    for name, of_night in runs.items():
        yield to_row(f"{options.days} days", name, of_night) | {"jobs": jobs[name]}
    shutil.rmtree(_FOLDER)


def check_out(revision: str, folder: Path) -> Path:
    """Put the files of a revision of the project into a new folder and return it.

    Raises:
        BenchmarkError: git knows no such revision.
    """
    folder.mkdir(parents=True)
    archive = folder.with_suffix(".tar")
    command = ["git", "-C", str(ROOT), "archive", "--output", str(archive), revision]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - of the command line
    if done.returncode:
        raise BenchmarkError(f"expected a revision of git for --before, found {revision}: {done.stderr.strip()}")
    shutil.unpack_archive(archive, folder, filter="data")
    archive.unlink()
    return folder


def log_events(folder: Path) -> list[str]:
    """Return the options of spark-submit by which Spark writes one plain file of its events into `folder`."""
    settings = {"enabled": "true", "dir": folder.as_uri(), "rolling.enabled": "false", "compress": "false"}
    return [part for name, value in settings.items() for part in ("--conf", f"spark.eventLog.{name}={value}")]


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare this version by spark-submit with the goals of a day, and each of its rows with the version before."""
    by_name = {row["night"]: row for row in rows}
    found = []
    for name, row in by_name.items():
        if name == "now, spark-submit" and row["measure"] == "1 days":
            found += [Goal(figure, row[figure], limit, is_least=False) for figure, limit in MOST_OF_A_DAY.items()]
        if name.startswith("now") and (before := by_name.get(name.replace("now", "before"))):
            share = row["wall_s"] / before["wall_s"]
            found.append(Goal(f"wall_s of {name}, of those before", share, 1.0, is_least=False))
    return found


if __name__ == "__main__":
    sys.exit(run("small_night", add_options, measure, goals))
