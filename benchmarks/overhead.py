"""What Spark costs around the classifier: its rate as a share of the bare classifier's, on the same rows and cores.

    python -m benchmarks.overhead --rows 40000 --cores 2 --model bundled

Through Spark the pandas UDF labels Parquet into Parquet on warm workers. Bare, as many processes of one thread score
the same texts from memory. They take turns, so that both meet the machine as it is.
"""

import sys
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from benchmarks.harness import BUILD, Benchmark, Goal, Options, Parser, Row, add_cores, add_messages, run
from benchmarks.inputs import find_model
from benchmarks.scorer import Scorer, scorers_on_cores
from benchmarks.spark_job import SparkJob, Work, add_spark_options

LEAST_SPARK_RATE: Final = 0.90
"""The rate through Spark as a share of the bare classifier's."""


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_messages(parser, rows=40_000)
    add_cores(parser)
    add_spark_options(parser)


def measure(options: Options) -> Iterator[Row]:
    """Yield one row: seconds of both, and the rate through Spark as a share of the bare one."""
    model = find_model(options.model)
    work = Work(model, options.data, options.rows, options.cores, options.warm_up, BUILD / "overhead")
    spark_s: list[float] = []
    bare_s: list[float] = []
    with SparkJob(work) as job, scorers_on_cores(model, work.texts(), options.cores) as scorers:
        scorers.call(Scorer.load)

        def through_spark() -> None:
            spark_s.append(job.label())

        def bare() -> None:
            bare_s.append(max(scorers.call(Scorer.score)))

        for number in range(options.repeats):
            turns = [through_spark, bare]
            for turn in turns if number % 2 == 0 else reversed(turns):  # who goes first changes
                turn()
    yield {
        "rows": options.rows,
        "cores": options.cores,
        "spark_rows_per_s": options.rows / median(spark_s),
        "bare_rows_per_s": options.rows / median(bare_s),
        "spark_rate": median(bare_s) / median(spark_s),
        "spark_s": spark_s,
        "bare_s": bare_s,
    }


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare the share with the goal."""
    return [Goal("spark_rate", row["spark_rate"], LEAST_SPARK_RATE) for row in rows]


BENCHMARK: Final = Benchmark("overhead", "Measure Spark against the bare classifier.", add_options, measure, goals)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
