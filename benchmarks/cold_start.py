"""Seconds from spark-submit, and from tools/submit.sh, to the first scored row.

    python -m benchmarks.cold_start --repeats 3

This project's UDF, transformers' pipeline in a pandas UDF, and a UDF that does nothing label one row each
(`cold_start_job`). Processes are new, files are not: a round that does not count puts them into the page cache.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.cold_start_job import CONTENDERS
from benchmarks.harness import BUILD, Goal, Options, Parser, Row, add_common, run
from benchmarks.inputs import find_model
from benchmarks.launchers import PEERS_PYTHON, prepare, submit

MOST_OF_PIPELINE: Final = 0.5  # this project by tools/submit.sh, of the pipeline by spark-submit


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_common(parser, model="bundled", repeats=3, timeout=600)


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each contender and way to start it; they take turns, so all rows come at the end."""
    model = find_model(options.model)
    prepare(options.timeout)
    contenders = list(product(CONTENDERS, (False, True)))
    seconds: dict[tuple[str, bool], list[float]] = {contender: [] for contender in contenders}
    for number in range(options.repeats + 1):
        turn = number % len(contenders)
        for contender in contenders[turn:] + contenders[:turn]:
            name, prepared = contender
            start_s = time_start(name, prepared, model, options.timeout)
            if number:  # the first round only warms up
                seconds[contender].append(start_s)
    for (name, prepared), of_contender in seconds.items():
        yield {
            "contender": name,
            "started_by": "submit.sh" if prepared else "spark-submit",
            "median_s": median(of_contender),
            "fastest_s": min(of_contender),
            "slowest_s": max(of_contender),
            "seconds": of_contender,
        }


def time_start(name: str, prepared: bool, model: Path, timeout_s: float) -> float:
    """Run one job and return the seconds from its start to its first row.

    Raises:
        BenchmarkError: It failed, or took longer than `timeout_s`.
    """
    folder = BUILD / "cold_start"
    moment_file = folder / "moment"
    moment_file.unlink(missing_ok=True)
    # The peers' own Python for the pipeline, where it is installed.
    python = PEERS_PYTHON if name == "hf-pipeline" and PEERS_PYTHON.is_file() else Path(sys.executable)
    job = ["--master", "local[1]", "benchmarks/cold_start_job.py", name, str(model), str(moment_file)]
    started = time.time()
    submit(job, python, prepared, folder / "log", timeout_s)
    return float(moment_file.read_text(encoding="utf-8")) - started


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare this project's seconds, prepared, with the pipeline's by plain spark-submit."""
    median_s = {(row["contender"], row["started_by"]): row["median_s"] for row in rows}
    share = median_s["emotion-udf", "submit.sh"] / median_s["hf-pipeline", "spark-submit"]
    return [Goal("emotion-udf by submit.sh, of hf-pipeline", share, MOST_OF_PIPELINE, is_least=False)]


if __name__ == "__main__":
    sys.exit(run("cold_start", add_options, measure, goals))
