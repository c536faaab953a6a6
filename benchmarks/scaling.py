"""Rows a second and the memory of the Python workers, by number of rows and cores.

    python -m benchmarks.scaling --rows 10000,100000,1000000 --cores 1,2 --model tiny

The pandas UDF labels Parquet into Parquet in the job's own session, on warm workers. Each number of rows and cores is
measured in a process of its own, so that memory is that run's alone. Texts are repeated where the data has too few:
the UDF does not look for repeats.
"""

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.inputs import BenchmarkError
from benchmarks.spark_jobs import Request, SparkJob, in_a_process, read_options, requests_of, tell, write_input
from benchmarks.worker_memory import MemorySampler, WorkerMemory, summarise_memory

GOAL_FLAT: Final = 0.10
"""How much more memory a worker may take with the most rows than with the fewest."""


@dataclass(frozen=True)
class Measurement:
    """What one process measured.

    Args:
        rows: Rows of each job.
        cores: Spark's cores.
        seconds: Of each job.
        rows_per_s: Of the median job.
        workers: Each Python worker's memory in a further job.
        peak_mib: Of the worker that took most.
        last_quarter_mib: Of the worker that took most.
        own_peak_mib: Of the worker that took most.
    """

    rows: int
    cores: int
    seconds: list[float]
    rows_per_s: float
    workers: list[WorkerMemory]
    peak_mib: float
    last_quarter_mib: float
    own_peak_mib: float


def measure(request: Request) -> Measurement:
    """Time jobs on warm workers, then watch the workers' memory in one more. Starts a Spark session in this process."""
    timed, warm_up = write_input(request)
    with SparkJob(request) as job:
        job.label(warm_up)
        seconds = [job.label(timed) for _ in range(request.repeats)]
        # Not while the clock runs: Linux counts a worker's pages for each sample, some milliseconds of a core.
        with MemorySampler() as memory:
            job.label(timed)
    shutil.rmtree(request.folder)
    workers = [summarise_memory(memory.samples[pid]) for pid in sorted(memory.samples)]
    return Measurement(
        rows=request.rows,
        cores=request.cores,
        seconds=seconds,
        rows_per_s=request.rows / median(seconds),
        workers=workers,
        peak_mib=max(worker.peak_mib for worker in workers),
        last_quarter_mib=max(worker.last_quarter_mib for worker in workers),
        own_peak_mib=max(worker.own_peak_mib for worker in workers),
    )


def growth(mib: Mapping[int, float]) -> float:
    """Return by what share the largest memory of all numbers of rows is above the smallest.

    Args:
        mib: Memory by number of rows.
    """
    return max(mib.values()) / min(mib.values()) - 1


def growth_by_cores(measurements: Sequence[Measurement]) -> dict[str, dict[str, float]]:
    """Return the growth of each figure of memory for each number of cores."""
    return {
        str(cores): {
            figure: growth({m.rows: getattr(m, figure) for m in measurements if m.cores == cores})
            for figure in ("peak_mib", "last_quarter_mib", "own_peak_mib")
        }
        for cores in sorted({m.cores for m in measurements})
    }


def scaling_table(measurements: Sequence[Measurement], model: str) -> Table:
    """Return the terminal's table of rates and memory."""
    grown = {cores: figures["peak_mib"] for cores, figures in growth_by_cores(measurements).items()}
    words = [
        f"on {cores} cores the peak grows by {share:.1%} (goal: at most {GOAL_FLAT:.0%}, "
        f"{'met' if share <= GOAL_FLAT else 'not met'})"
        for cores, share in grown.items()
    ]
    table = Table(title=f"The UDF on Spark, {model} model", caption="; ".join(words))
    for heading in ("cores", "rows", "median s", "rows/s", "worker peak MiB", "last quarter MiB", "own peak MiB"):
        table.add_column(heading, justify="right")
    for m in measurements:
        memory = (f"{mib:,.0f}" for mib in (m.peak_mib, m.last_quarter_mib, m.own_peak_mib))
        table.add_row(str(m.cores), f"{m.rows:,}", f"{median(m.seconds):.2f}", f"{m.rows_per_s:,.0f}", *memory)
    return table


def run(options: argparse.Namespace) -> None:
    """Measure, write the result and print it."""
    measurements = [in_a_process(measure, request) for request in requests_of(options)]
    measured = {"measurements": [asdict(m) for m in measurements], "growth": growth_by_cores(measurements)}
    tell(options, measured, scaling_table(measurements, options.model))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 2 where it cannot be measured as asked."""
    description = "Measure the UDF on Spark by number of rows and cores."
    options = read_options(arguments, "scaling", description, rows=[10_000, 100_000, 1_000_000])
    try:
        run(options)
    except BenchmarkError as error:
        Console(stderr=True).print(f"scaling: {error}", markup=False, highlight=False)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
