"""This project's UDF against its peers: the same rows, model and cores, Parquet to Parquet, in one run.

    python -m benchmarks.throughput --rows 1000 --model base --best
    python -m benchmarks.throughput --rows 200 --model tiny --peers hf-pipeline,ray

All read the same files, one a core, on one thread a core, with workers that have their model loaded.
"""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final

import pyarrow.parquet as pq

from benchmarks.contenders.contract import Answer, Request
from benchmarks.harness import (
    BUILD,
    Benchmark,
    BenchmarkError,
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
from benchmarks.inputs import find_model, numbered, read_texts, write_parts
from benchmarks.launchers import PEERS_PYTHON, PEERS_READY, job_environment, run_logged

OURS: Final = "emotion-udf"
PEERS: Final = {
    "hf-pipeline": "hf_pipeline",
    "spark-infer-ai": "spark_infer_ai",
    "predict-batch-udf": "predict_batch",
    "ray": "ray_data",
}
"""Peers by name, and the module of each."""

WORK: Final = BUILD / "throughput"
"""Where rows, labels, answers and logs of a run stay until the next one."""

_WARM_UP_ROWS = 64


@dataclass(frozen=True)
class Contender:
    """One row of the comparison.

    Attributes:
        name: In the table.
        command: Starts it; the request's file is appended.
        best: Whether it is asked to use its best settings.
    """

    name: str
    command: tuple[str, ...]
    best: bool = False


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_messages(parser, rows=2_000)
    add_model(parser, "base")
    add_cores(parser)
    add_repeats(parser)
    add_timeout(parser, 3_600)
    peers = parser.add_argument("--peers", type=lambda text: [name for name in text.split(",") if name])
    peers.default = list(PEERS)
    peers.help = f"of {', '.join(PEERS)}"
    parser.add_argument("--best", action="store_true", help="run each peer with the best settings found for it, too")


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each contender, this project's first; the others' labels are compared with its labels."""
    contenders = choose_contenders(options.peers, options.best)
    yield from compare(contenders, write_request(options), options.rows, options.timeout)


def choose_contenders(peers: list[str], best: bool) -> list[Contender]:
    """Return this project's contender and these peers, each with its best settings, too, if asked for.

    Raises:
        BenchmarkError: There is no such peer, or no environment for peers.
    """
    unknown = [name for name in peers if name not in PEERS]
    if unknown:
        raise BenchmarkError(f"expected --peers from {', '.join(PEERS)}, found {', '.join(unknown)}")
    if peers and not PEERS_READY.exists():
        raise BenchmarkError(
            "expected the peers' environment in .venv-benchmarks, found none; run tools/setup_benchmarks.sh"
        )
    contenders = [Contender(OURS, (sys.executable, "-m", "benchmarks.contenders.emotion_udf_job"))]
    for name in peers:
        command = (str(PEERS_PYTHON), "-m", f"benchmarks.contenders.{PEERS[name]}")
        contenders.append(Contender(name, command))
        if best:
            contenders.append(Contender(f"{name}-best", command, best=True))
    return contenders


def write_request(options: Options) -> Request:
    """Write the rows, one file a core, and return what every contender is asked, but for its own files."""
    if options.rows < options.cores:
        raise BenchmarkError(f"expected at least {options.cores} rows, one a core, found --rows {options.rows}")
    model = find_model(options.model)
    texts = read_texts(options.data, options.rows + _WARM_UP_ROWS * options.cores)
    shutil.rmtree(WORK, ignore_errors=True)
    timed = write_parts(numbered(texts[: options.rows]), options.cores, WORK / "timed")
    warm_up = write_parts(numbered(texts[options.rows :]), options.cores, WORK / "warm-up")
    return Request(str(model), str(timed), str(warm_up), "", "", options.cores, options.repeats, best=False)


def compare(contenders: list[Contender], request: Request, rows: int, timeout_s: float) -> Iterator[Row]:
    """Run contenders one after the other, the first being what the others are compared with."""
    first: Row | None = None
    first_labels: dict[str, str] = {}
    for contender in contenders:
        output = WORK / contender.name
        asked = replace(request, output=str(output), answer=f"{output}.answer.json", best=contender.best)
        row = run_contender(contender, asked, rows, timeout_s)
        labels = {} if "failed" in row else read_labels(output)
        if "failed" not in row and len(labels) != rows:  # however fast it was
            row = {"contender": contender.name, "failed": f"expected {rows:,} labels, found {len(labels):,}"}
        if first is None:
            first = row
            first_labels = labels
        if "failed" not in row and "failed" not in first:
            row["times_slower"] = first["rows_per_s"] / row["rows_per_s"]
            row["equal_labels"] = share_of_equal(labels, first_labels)
        yield row


def run_contender(contender: Contender, request: Request, rows: int, timeout_s: float) -> Row:
    """Run a contender to its end and return its figures, or why it failed."""
    asked = Path(f"{request.output}.request.json")
    asked.parent.mkdir(parents=True, exist_ok=True)
    request.write(asked)
    environment = job_environment(Path(contender.command[0]))
    started = time.time()
    try:
        run_logged([*contender.command, str(asked)], environment, asked.with_suffix(".log"), timeout_s)
        answer: Answer = json.loads(Path(request.answer).read_text(encoding="utf-8"))
    except BenchmarkError as error:
        answer = {"failed": str(error)}
    if "failed" in answer:
        return {"contender": contender.name, "failed": answer["failed"]}
    return {
        "contender": contender.name,
        "rows_per_s": rows / median(answer["seconds"]),
        "cold_start_s": answer["warmed_up_at"] - started,
        **{name: answer[name] for name in ("seconds", "start_up_s", "settings", "versions")},
    }


def read_labels(folder: Path) -> dict[str, str]:
    """Read a contender's labels by id."""
    labelled = pq.read_table(folder, columns=["id", "label"])
    return dict(zip(labelled["id"].to_pylist(), labelled["label"].to_pylist(), strict=True))


def share_of_equal(labels: Mapping[str, str], reference: Mapping[str, str]) -> float:
    """Return the share of the reference's labels, at least one, that `labels` repeats."""
    return sum(labels.get(row) == label for row, label in reference.items()) / len(reference)


BENCHMARK: Final = Benchmark("throughput", "Compare this project's UDF with its peers.", add_options, measure)

if __name__ == "__main__":
    # A contender leads a session of its own, so it would outlive a run that is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(run(BENCHMARK))
