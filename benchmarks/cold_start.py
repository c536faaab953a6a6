"""Seconds from spark-submit, and from tools/submit.sh, to the first scored row.

    python -m benchmarks.cold_start --repeats 3

This project's UDF, transformers' pipeline in a pandas UDF, and a UDF that does nothing label one row each
(`cold_start_job`). Processes are new, files are not: a round that does not count puts them into the page cache.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.cold_start_job import DETAILS, FIRST_ROW
from benchmarks.harness import (
    Benchmark,
    BenchmarkError,
    Goal,
    Options,
    Parser,
    Row,
    add_model,
    add_repeats,
    add_timeout,
    run,
)
from benchmarks.inputs import find_model
from benchmarks.launchers import PEERS_PYTHON, end, prepare_submit, submit_command, submit_environment
from benchmarks.machine import ROOT

MOST_OF_PIPELINE: Final = 0.5
"""This project's seconds, prepared, as a share of those of a pipeline that plain spark-submit starts."""

_JOB = ROOT / "benchmarks" / "cold_start_job.py"
_LAST_LINES = 5


@dataclass(frozen=True)
class Contender:
    """A job of one row, and what starts it.

    Attributes:
        udf: What labels the row, of `cold_start_job.UDFS`.
        prepared: Whether tools/submit.sh starts it, prepared before; otherwise it is plain spark-submit.
    """

    udf: str
    prepared: bool = False

    @property
    def python(self) -> Path:
        """What runs it: for the pipeline the peers' own Python, where it is installed."""
        return PEERS_PYTHON if self.udf == "hf-pipeline" and PEERS_PYTHON.is_file() else Path(sys.executable)


CONTENDERS: Final = [
    Contender(udf, prepared) for udf in ("emotion-udf", "hf-pipeline", "spark") for prepared in (False, True)
]


@dataclass(frozen=True)
class Start:
    """One start.

    Attributes:
        seconds: From the start of the program to the first row on its output.
        phases: What they were spent on, in seconds, as the job says.
        versions: Of the packages that it ran with.
    """

    seconds: float
    phases: dict[str, float]
    versions: dict[str, str]


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_model(parser, "bundled")
    add_repeats(parser)
    add_timeout(parser, 600)


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each contender: all are started in turns, so the rows come together at the end."""
    model = find_model(options.model)
    prepare_submit(options.timeout)
    starts: dict[Contender, list[Start]] = {contender: [] for contender in CONTENDERS}
    for number in range(options.repeats + 1):
        turn = number % len(CONTENDERS)
        for contender in (*CONTENDERS[turn:], *CONTENDERS[:turn]):
            start = start_once(contender, model, options.timeout)
            if number:  # the first round only warms up
                starts[contender].append(start)
    for contender, measured in starts.items():
        yield summarize(contender, measured)


def start_once(contender: Contender, model: Path, timeout_s: float) -> Start:
    """Run one job.

    Raises:
        BenchmarkError: It ended without a row, or took longer than `timeout_s`.
    """
    launcher = submit_command(contender.python, contender.prepared)
    began = time.time()
    process = subprocess.Popen(  # noqa: S603 - commands of this file
        [*launcher, "--master", "local[1]", str(_JOB), "--udf", contender.udf, "--model", str(model)],
        cwd=ROOT,
        env=submit_environment(contender.python, contender.prepared),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines = list(_timed_lines(process, timeout_s))
    rows = [at for at, line in lines if line.startswith(FIRST_ROW)]
    details = [line.removeprefix(DETAILS) for _, line in lines if line.startswith(DETAILS)]
    if not rows or not details:
        last = "\n".join(line for _, line in lines[-_LAST_LINES:])
        raise BenchmarkError(f"{contender.udf} ended without a row within {timeout_s:,.0f} s; its last lines:\n{last}")
    told: dict[str, Any] = json.loads(details[0])
    return Start(rows[0] - began, phases(began, told["stamps"]), told["versions"])


def _timed_lines(process: subprocess.Popen[str], timeout_s: float) -> Iterator[tuple[float, str]]:
    """Yield a process's lines with the moment each was read, and end it after `timeout_s`."""
    clock = threading.Timer(timeout_s, end, [process])
    clock.start()
    with process:
        try:
            for line in process.stdout or ():
                yield time.time(), line.rstrip("\n")
        finally:
            clock.cancel()
            end(process)


def phases(began: float, stamps: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds up to each stamp since the one before it.

    Args:
        began: When the program was started, in seconds since the epoch.
        stamps: The moments that the job names, in order.
    """
    moments = [began, *stamps.values()]
    return {name: after - before for name, before, after in zip(stamps, moments, moments[1:], strict=False)}


def summarize(contender: Contender, starts: Sequence[Start]) -> Row:
    """Return the row of a contender: medians of its starts, the fastest and the slowest."""
    seconds = [start.seconds for start in starts]
    return {
        "contender": contender.udf,
        "started_by": "submit.sh" if contender.prepared else "spark-submit",
        "median_s": median(seconds),
        "fastest_s": min(seconds),
        "slowest_s": max(seconds),
        **{f"{name}_s": median(start.phases[name] for start in starts) for name in starts[0].phases},
        "seconds": seconds,
        "versions": starts[0].versions,
    }


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare this project's seconds, prepared, with the pipeline's by plain spark-submit."""
    median_s = {(row["contender"], row["started_by"]): row["median_s"] for row in rows}
    share = median_s["emotion-udf", "submit.sh"] / median_s["hf-pipeline", "spark-submit"]
    return [Goal("emotion-udf by submit.sh, of hf-pipeline", share, MOST_OF_PIPELINE, is_least=False)]


BENCHMARK: Final = Benchmark("cold_start", "Measure the seconds to the first row.", add_options, measure, goals)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
