"""Rows a second through Spark, as a share of the bare classifier's, and the memory of the Python workers.

    python -m benchmarks.scaling --rows 40000 --model bundled
    python -m benchmarks.scaling --rows 10000 100000 1000000 --cores 1 2 --model tiny

Through Spark the pandas UDF labels Parquet into Parquet on warm workers, with the nightly job's settings of Spark.
Bare, as many processes of one thread score the same texts from memory. They take turns, so that both meet the machine
as it is. Each number of rows and cores is measured in a process of its own, so that memory is that run's alone.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import product
from statistics import median
from typing import Final

from benchmarks.contenders.spark import emotion_udf, label, start_spark
from benchmarks.harness import BUILD, DATA, Goal, Options, Parser, Row, add_common, positive, run
from benchmarks.inputs import find_model, read_texts, write_job_input
from benchmarks.processes import Processes
from benchmarks.scorer import Scorer, start_scorers
from benchmarks.worker_memory import MemorySampler
from emotion_udf.session import REQUIRED

LEAST_SPARK_RATE: Final = 0.90  # of the bare classifier's
MOST_GROWTH: Final = 0.10  # of a worker's peak, between any two numbers of rows
_WARM_UP_ROWS = 1_000


def add_options(parser: Parser) -> None:
    """Add the options; every number of rows and of cores is a row."""
    add_common(parser, data=DATA / "tweets.parquet", model="bundled", repeats=3)
    parser.add_argument("--rows", type=positive, nargs="+", default=[40_000])
    parser.add_argument("--cores", type=positive, nargs="+", default=[2])


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each number of rows and cores."""
    find_model(options.model)
    for cores, rows in product(options.cores, options.rows):
        with Processes([partial(Options, **vars(options) | {"rows": rows, "cores": cores})]) as fresh:
            yield fresh.call(measure_job)[0]


def measure_job(options: Options) -> Row:
    """Time Spark and the bare classifier, then watch the workers' memory in one more job.

    Args:
        options: With one number of rows and one of cores. Spark is started in this process.
    """
    texts = read_texts(options.data, options.rows)
    seconds: dict[str, list[float]] = {"spark": [], "bare": []}
    with warm_spark_job(options) as label_all:
        with start_scorers(find_model(options.model), texts, "cpu", options.cores) as scorers:
            scorers.call(Scorer.load)
            turns: dict[str, Callable[[], float]] = {
                "spark": label_all,
                "bare": lambda: max(scorers.call(Scorer.score)),
            }
            for number in range(options.repeats):
                for name in sorted(turns, reverse=number % 2 == 0):  # who goes first changes
                    seconds[name].append(turns[name]())
        # Not while the clock runs: Linux counts a worker's pages for each sample, some milliseconds of a core.
        with MemorySampler() as memory:
            label_all()
    return {
        "cores": options.cores,
        "rows": options.rows,
        "rows_per_s": options.rows / median(seconds["spark"]),
        "bare_rows_per_s": options.rows / median(seconds["bare"]),
        "spark_rate": median(seconds["bare"]) / median(seconds["spark"]),
        **memory.peaks(),
        "seconds": seconds,
    }


@contextmanager
def warm_spark_job(options: Options) -> Iterator[Callable[[], float]]:
    """Start Spark, warm its workers up, and give what labels all rows and returns its seconds."""
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    folder = BUILD / "scaling"
    timed, warm_up = write_job_input(options.data, options.rows, _WARM_UP_ROWS, options.cores, folder)
    spark = start_spark(options.cores, REQUIRED)
    labelling, _ = emotion_udf(str(find_model(options.model)), best=False)

    def label_all() -> float:
        started = time.perf_counter()
        label(spark, labelling, str(timed), str(folder / "labelled"))
        return time.perf_counter() - started

    label(spark, labelling, str(warm_up), str(folder / "labelled"))
    yield label_all
    spark.stop()
    shutil.rmtree(folder)


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare Spark's share in each row, and the growth of a worker's peak for each number of cores."""
    shares = [Goal(f"spark_rate of {row['rows']:,} rows", row["spark_rate"], LEAST_SPARK_RATE) for row in rows]
    peaks: dict[int, list[float]] = {}
    for row in rows:
        peaks.setdefault(row["cores"], []).append(row["peak_mib"])
    growth = {f"growth on {cores} cores": max(mib) / min(mib) - 1 for cores, mib in peaks.items()}
    return shares + [Goal(name, share, MOST_GROWTH, is_least=False) for name, share in growth.items()]


if __name__ == "__main__":
    sys.exit(run("scaling", add_options, measure, goals))
