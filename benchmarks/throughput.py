"""This project's UDF against its peers: the same rows, model and cores, Parquet to Parquet, in one run.

    python -m benchmarks.throughput --rows 1000 --model base --best
    python -m benchmarks.throughput --rows 200 --model tiny --peers hf-pipeline ray

All read the same files, one a core, on one thread a core, with workers that have their model loaded.
"""

import json
import signal
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import pyarrow.parquet as pq

from benchmarks.contenders.contract import Answer, Request
from benchmarks.harness import BUILD, DATA, BenchmarkError, Options, Parser, Row, add_common, attempt, run
from benchmarks.inputs import find_model, write_job_input
from benchmarks.launchers import PEERS_PYTHON, job_environment, run_logged

OURS: Final = "emotion-udf"
PEERS: Final = ["hf-pipeline", "spark-infer-ai", "predict-batch-udf", "ray"]
COMMANDS: Final = {
    OURS: [sys.executable, "-m", "benchmarks.contenders.spark"],
    **{name: [str(PEERS_PYTHON), "-m", "benchmarks.contenders.spark"] for name in PEERS},
    "ray": [str(PEERS_PYTHON), "-m", "benchmarks.contenders.ray_data"],
}
"""What starts each contender; its request is appended."""

WORK: Final = BUILD / "throughput"
"""Where rows, labels, answers and logs of a run stay until the next one."""

_WARM_UP_ROWS = 64


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_common(parser, rows=2_000, data=DATA / "tweets.parquet", model="base", cores=2, repeats=3, timeout=3_600)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="whom to compare with")
    parser.add_argument("--best", action="store_true", help="run each peer with the best settings found for it, too")


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each contender, this project's first; the others' labels are compared with its labels."""
    if options.peers and not PEERS_PYTHON.exists():
        raise BenchmarkError(f"expected the peers' {PEERS_PYTHON}, found none; run tools/setup_benchmarks.sh")
    model = find_model(options.model)
    timed, warm_up = write_job_input(options.data, options.rows, _WARM_UP_ROWS, options.cores, WORK)
    first: Row = {}
    first_labels: dict[str, str] = {}
    for name, best in choose_contenders(options.peers, options.best):
        title = f"{name}-best" if best else name
        files = (str(model), str(timed), str(warm_up), str(WORK / title))
        request = Request(name, *files, options.cores, options.repeats, best)
        row = attempt({"contender": title}, partial(run_contender, request, options.rows, options.timeout))
        labels = {} if "failed" in row else read_labels(request.output)
        if not first:
            first = row
            first_labels = labels
        if "failed" not in row and "failed" not in first:
            row["times_slower"] = first["rows_per_s"] / row["rows_per_s"]
            row["equal_labels"] = sum(first_labels[id_] == label for id_, label in labels.items()) / options.rows
        yield row


def choose_contenders(peers: list[str], best: bool) -> list[tuple[str, bool]]:
    """Return this project's contender and these peers, and whether each is to use its best settings."""
    variants = (False, True) if best else (False,)
    return [(OURS, False), *((name, variant) for name in peers for variant in variants)]


def run_contender(request: Request, rows: int, timeout_s: float) -> Row:
    """Run a contender to its end and return its figures.

    Raises:
        BenchmarkError: It failed, or lost rows, however fast it was.
    """
    command = [*COMMANDS[request.contender], request.to_json()]
    started = time.time()
    run_logged(command, job_environment(Path(command[0])), Path(f"{request.output}.log"), timeout_s)
    answer: Answer = json.loads(request.answer.read_text(encoding="utf-8"))
    labelled = pq.read_table(request.output, columns=["id"]).num_rows
    if labelled != rows:
        raise BenchmarkError(f"expected {rows:,} labels, found {labelled:,}")
    cold_start_s = answer.pop("warmed_up_at") - started
    return {"rows_per_s": rows / median(answer["seconds"]), "cold_start_s": cold_start_s} | answer


def read_labels(folder: str) -> dict[str, str]:
    """Read a contender's labels by id."""
    labelled = pq.read_table(folder, columns=["id", "label"])
    return dict(zip(labelled["id"].to_pylist(), labelled["label"].to_pylist(), strict=True))


if __name__ == "__main__":
    # A contender leads a session of its own, so it would outlive a run that is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(run("throughput", add_options, measure))
