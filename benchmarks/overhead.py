"""What Spark costs around the classifier: its rate as a share of the bare classifier's, on the same rows and cores.

    python -m benchmarks.overhead --rows 40000 --cores 2 --model bundled

Through Spark the pandas UDF labels Parquet into Parquet in the job's own session, on warm workers. Bare, as many
processes of one thread score the same texts from memory. They take turns, so that both meet the machine as it is.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.table import Table

from benchmarks.inputs import BenchmarkError
from benchmarks.spark_jobs import (
    Request,
    SparkJob,
    in_a_process,
    read_options,
    requests_of,
    tell,
    text_column,
    write_input,
)

GOAL_SPARK_RATE: Final = 0.90
"""The rate through Spark as a share of the bare classifier's, at least."""


@dataclass(frozen=True)
class Overhead:
    """Spark against the bare classifier, job by job in turns.

    Args:
        rows: Rows of each job.
        cores: Spark's cores, and the bare classifier's processes of one thread.
        spark_s: Seconds of each job through Spark, Parquet to Parquet.
        bare_s: Seconds of the bare classifier on the same rows, texts in memory.
        spark_rate: The medians' rate through Spark as a share of the bare one.
    """

    rows: int
    cores: int
    spark_s: list[float]
    bare_s: list[float]
    spark_rate: float


def measure_overhead(request: Request) -> Overhead:
    """Time Spark and the bare classifier in turns, both warm. Starts a Spark session in this process."""
    timed, warm_up = write_input(request)
    with SparkJob(request) as job, BareClassifiers(request, timed, warm_up) as bare:
        job.label(warm_up)
        pairs = []
        for number in range(request.repeats):
            first = job.label(timed) if number % 2 == 0 else None  # who goes first changes
            alone = bare.score()
            pairs.append((first if first is not None else job.label(timed), alone))
    shutil.rmtree(request.folder)
    spark_s, bare_s = ([pair[side] for pair in pairs] for side in (0, 1))
    return Overhead(request.rows, request.cores, spark_s, bare_s, median(bare_s) / median(spark_s))


class BareClassifiers:
    """One process a core, each with the classifier on one thread and the texts of one file, warmed up.

    Args:
        request: What is measured.
        timed: A folder with one file a core.
        warm_up: The same, to be scored once before.
    """

    def __init__(self, request: Request, timed: Path, warm_up: Path) -> None:
        context = get_context("spawn")
        self._ends: list[Connection] = []
        self._processes = []
        for file in sorted(timed.iterdir()):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_score_when_told, args=(theirs, request.model, file, warm_up / file.name), daemon=True
            )
            process.start()
            theirs.close()  # so that the end of the process is the end of the pipe
            self._ends.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Self:
        self._wait()  # until all have warmed up
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in self._ends:
            end.close()
        for process in self._processes:
            process.join()

    def score(self) -> float:
        """Score all texts in all processes at once and return the seconds until the last one was done."""
        started = time.perf_counter()
        for end in self._ends:
            end.send("go")
        self._wait()
        return time.perf_counter() - started

    def _wait(self) -> None:
        for end in self._ends:
            end.recv()


def _score_when_told(told: Connection, model: str, timed: Path, warm_up: Path) -> None:
    """Score the texts of a file each time something is received, until the pipe is closed."""
    os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"  # as Spark sets it for one core a task
    import torch

    from benchmarks.scoring import score_all
    from emotion_udf import ClassifierSettings
    from emotion_udf.classifier.artifact import open_artifact
    from emotion_udf.classifier.classifier import load_classifier

    torch.set_num_threads(1)
    settings = ClassifierSettings(model=model)
    classifier = load_classifier(
        open_artifact(settings.source), settings.device, settings.token_budget, precision=settings.precision
    )

    texts = text_column(timed).to_pylist()
    score_all(classifier, text_column(warm_up).to_pylist(), settings.chunk_rows)
    try:
        while True:
            told.send("done")
            told.recv()
            score_all(classifier, texts, settings.chunk_rows)
    except (EOFError, OSError):
        return  # nobody waits any more


def overhead_table(overheads: Sequence[Overhead], model: str) -> Table:
    """Return the terminal's table of Spark against the bare classifier."""
    table = Table(title=f"Spark around the classifier, {model} model", caption=f"goal: at least {GOAL_SPARK_RATE:.0%}")
    for heading in ("cores", "rows", "Spark rows/s", "bare rows/s", "Spark's share", "goal"):
        table.add_column(heading, justify="right")
    for o in overheads:
        rates = (f"{o.rows / median(seconds):,.0f}" for seconds in (o.spark_s, o.bare_s))
        met = "met" if o.spark_rate >= GOAL_SPARK_RATE else "not met"
        table.add_row(str(o.cores), f"{o.rows:,}", *rates, f"{o.spark_rate:.1%}", met)
    return table


def run(options: argparse.Namespace) -> None:
    """Measure, write the result and print it."""
    overheads = [in_a_process(measure_overhead, request) for request in requests_of(options)]
    measured = {"overhead": [asdict(overhead) for overhead in overheads]}
    tell(options, measured, overhead_table(overheads, options.model))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 2 where it cannot be measured as asked."""
    options = read_options(arguments, "overhead", "Measure Spark against the bare classifier.", rows=[40_000])
    try:
        run(options)
    except BenchmarkError as error:
        Console(stderr=True).print(f"overhead: {error}", markup=False, highlight=False)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
