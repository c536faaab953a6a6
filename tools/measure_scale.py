"""Whole nights of many messages on two cores: what grows faster than the messages.

python -m tools.measure_scale --rows 1000000 5000000
python -m tools.measure_scale --rows 1000000 --files 3000

The texts are real tweets, made distinct by a number before each; one product has half of the messages. The model is
`tiny`, so that what is left is all that is around the classifier. Spark has one executor of its own process, by its
`local-cluster` mode: so the driver's memory is the driver's alone. Each night starts with an empty warehouse.
"""

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from benchmarks.harness import BUILD, DATA, Goal, Options, Parser, Row, add_common, positive, run
from benchmarks.inputs import find_model, read_texts, split, to_messages
from benchmarks.nights import DAY, distinct_texts
from benchmarks.small_night import log_events
from tools.session_watch import SessionWatch, submit_watched
from tools.spark_events import read_queries, to_row

MOST_GROWTH: Final = 1.15
"""What a message of the largest night may cost, as a multiple of what it costs in the smallest."""

_FOLDER = BUILD / "scale"
_TABLES = ("emotion_labels", "emotion_daily", "emotion_terms", "text_scores")
_PRODUCTS = 50
_ROWS_A_FILE = 100_000
_DAY_US = 86_400 * 1_000_000
_STEP = re.compile(r"^(\S+)Z INFO \S+ run_id=\S+ step=(\w+) done.* seconds=([\d.]+)$", re.MULTILINE)
_COLLECTED = re.compile(r"Pause .* \d+M->(\d+)M\((\d+)M\)")


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_common(parser, data=DATA / "tweets.parquet", model="tiny", cores=2, timeout=7_200)
    parser.add_argument("--rows", nargs="+", type=positive, default=[1_000_000, 5_000_000], help="of each night")
    parser.add_argument("--files", type=positive, help="files of each night; by default one for 100,000 messages")
    parser.add_argument("--driver-memory", default="1g", help="the driver's heap")
    parser.add_argument("--executor-memory", type=positive, default=3_072, help="the executor's heap in MiB")


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each night."""
    own = read_texts(options.data)
    for rows in options.rows:
        shutil.rmtree(_FOLDER, ignore_errors=True)
        files = options.files or max(options.cores, -(-rows // _ROWS_A_FILE))
        feedback = write_messages(own, rows, files, _FOLDER / "feedback")
        yield {"rows": rows, "input_files": files} | run_night(feedback, _FOLDER / "warehouse", options)


def run_night(feedback: Path, warehouse: Path, options: Options) -> Row:
    """Run the job on a folder of messages by spark-submit, and return what it took.

    Raises:
        BenchmarkError: It failed or took too long.
    """
    events, collections, log = _FOLDER / "events", _FOLDER / "driver-gc.log", _FOLDER / "log"
    events.mkdir()
    settings = {
        "input.path": feedback,
        "input.dimensions.source": "source",
        "input.dimensions.product": "product",
        "warehouse.root": warehouse,
        "classifier.model": find_model(options.model),
        "gate.max_canary_error_share": 1,  # tiny knows nothing
        "labels.min_confidence": 0,  # and is never sure, but terms are counted of sure labels
    }
    command = [
        *("--master", f"local-cluster[1,{options.cores},{options.executor_memory}]"),
        *("--driver-memory", options.driver_memory, "--conf", f"spark.executor.memory={options.executor_memory}m"),
        *("--conf", f"spark.driver.defaultJavaOptions=-Xlog:gc:file={collections}", *log_events(events)),
        *("jobs/score_feedback.py", "--config", "conf/nightly.toml", "--date", str(DAY)),
        *(f"--set={key}={value}" for key, value in settings.items()),
    ]
    spent, watch = submit_watched(command, log, options.timeout)
    queries = [to_row(query) for query in read_queries(events)]
    return {
        **spent,
        **step_seconds(log.read_text(encoding="utf-8"), watch),
        **{f"{name}_mib": sum(query[f"{name}_mib"] for query in queries) for name in ("shuffled", "spilled")},
        "driver_heap_mib": most_left(collections.read_text(encoding="utf-8")),
        **{f"{role}_mib": peak for role, peak in sorted(watch.peak_mib.items()) if role != "other"},
        **table_files(warehouse),
        "queries": queries,
    }


def step_seconds(log: str, watch: SessionWatch) -> Row:
    """Return the wall and CPU seconds of each step that a job's log tells the end of.

    The canary is scored beside the read, and the aggregates beside the terms: their steps are what is left to wait for.
    """
    found: Row = {}
    for moment, step, seconds in _STEP.findall(log):
        end = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
        found[f"{step}_s"] = float(seconds)
        found[f"{step}_cpu_s"] = watch.cpu_between(end - float(seconds), end)
    return found


def most_left(collections: str) -> int:
    """Return the most MiB that a Java heap held after a collection, by its log."""
    return max((int(left) for left, _ in _COLLECTED.findall(collections)), default=0)


def table_files(warehouse: Path) -> Row:
    """Return how many files the tables list, and their MiB."""
    found: Row = {}
    for table in _TABLES:
        files = pa.table(DeltaTable(warehouse / table).get_add_actions(flatten=True))
        found |= {f"{table}_files": files.num_rows, f"{table}_mib": sum(files["size_bytes"].to_pylist()) / 2**20}
    return found


def write_messages(own: Sequence[str], rows: int, files: int, folder: Path) -> Path:
    """Write distinct messages of one day; every second one is of one product, the others of 49 more."""
    folder.mkdir(parents=True)
    midnight = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp()) * 1_000_000
    for number, part in enumerate(split(rows, files)):
        numbers = range(part.start, part.stop)
        moments = pa.array([midnight + row * _DAY_US // rows for row in numbers], pa.timestamp("us", tz="UTC"))
        products = [f"product-{0 if row % 2 == 0 else 1 + row // 2 % (_PRODUCTS - 1)}" for row in numbers]
        table = to_messages(distinct_texts(own, part.start, len(numbers)), part.start)
        table = table.append_column("created_at", moments).append_column("product", pa.array(products))
        table = table.append_column("source", pa.array([f"source-{row % 3}" for row in numbers]))
        pq.write_table(table, folder / f"part-{number:05}.parquet")
    return folder


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare what a message of the largest night cost with one of the smallest, and the driver's memory."""
    small, large = min(rows, key=lambda row: row["rows"]), max(rows, key=lambda row: row["rows"])
    times = large["rows"] / small["rows"]
    if times == 1:
        return []
    per_row = [name for name in large if name.endswith("cpu_s") or name in ("wall_s", "shuffled_mib")]
    found = [
        Goal(
            f"{name} a message, times that of {small['rows']:,}", large[name] / small[name] / times, MOST_GROWTH, False
        )
        for name in per_row
        if small.get(name, 0) > 1
    ]
    flat = ("driver_heap_mib", "driver_python_mib")
    return found + [
        Goal(f"{name}, times that of {small['rows']:,}", large[name] / small[name], MOST_GROWTH, False) for name in flat
    ]


if __name__ == "__main__":
    sys.exit(run("measure_scale", add_options, measure, goals, package="tools"))
