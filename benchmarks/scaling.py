"""Rows a second and the memory of the Python workers, by number of rows and cores.

    python -m benchmarks.scaling --rows 10000,100000,1000000 --cores 1,2 --model tiny

The pandas UDF labels Parquet into Parquet on warm workers. Each number of rows and cores is measured in a process of
its own, so that memory is that run's alone.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.harness import BUILD, Benchmark, Goal, Options, Parser, Row, default_data, positives, run
from benchmarks.inputs import find_model
from benchmarks.processes import Processes
from benchmarks.spark_job import SparkJob, Work, add_spark_options
from benchmarks.worker_memory import MemorySampler, summarize_memory

MOST_GROWTH: Final = 0.10
"""How much more memory a worker may take with any number of rows than with another, as a share."""


def add_options(parser: Parser) -> None:
    """Add the options; every number of rows and of cores is a row."""
    parser.add_argument("--rows", type=positives, default=[10_000, 100_000, 1_000_000], help="such as 10000,100000")
    parser.add_argument("--cores", type=positives, default=[2], help="such as 1,2")
    parser.add_argument("--data", type=Path, default=default_data(), help="Parquet with id and text")
    add_spark_options(parser)
    parser.set_defaults(model="tiny")


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each number of rows and cores."""
    model = find_model(options.model)
    data = options.data.resolve()
    for cores in options.cores:
        for rows in options.rows:
            work = Work(model, data, rows, cores, options.warm_up, BUILD / "scaling")
            with Processes([partial(_Watched, work)]) as fresh:
                yield fresh.call(partial(_Watched.measure, repeats=options.repeats))[0]


class _Watched:
    """A job whose workers are watched; lives in a process of its own.

    Args:
        work: What is labelled.
    """

    def __init__(self, work: Work) -> None:
        self._work = work

    def measure(self, repeats: int) -> Row:
        """Time jobs on warm workers, then watch the workers' memory in one more."""
        with SparkJob(self._work) as job:
            seconds = [job.label() for _ in range(repeats)]
            # Not while the clock runs: Linux counts a worker's pages for each sample, some milliseconds of a core.
            with MemorySampler() as memory:
                job.label()
        workers = [summarize_memory(samples) for samples in memory.samples.values()]
        largest = {name: max(worker[name] for worker in workers) for name in workers[0]} if workers else {}
        return {
            "cores": self._work.cores,
            "rows": self._work.rows,
            "rows_per_s": self._work.rows / median(seconds),
            **largest,
            "seconds": seconds,
            "workers": workers,
        }


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare, for each number of cores, the growth of a worker's peak with the goal."""
    found = []
    for cores in sorted({row["cores"] for row in rows}):
        peaks = [row["peak_mib"] for row in rows if row["cores"] == cores]
        found.append(Goal(f"growth on {cores} cores", max(peaks) / min(peaks) - 1, MOST_GROWTH, is_least=False))
    return found


BENCHMARK: Final = Benchmark("scaling", "Measure the UDF by number of rows and cores.", add_options, measure, goals)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
