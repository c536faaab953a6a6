"""Starting contenders in turns, and the seconds to the first row of each."""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cold_start.contenders import PIPELINE, Contender
from benchmarks.cold_start.job import DETAILS, FIRST_ROW
from benchmarks.cold_start.stamps import Details, phases
from benchmarks.contenders.process import PEERS_PYTHON
from benchmarks.inputs import BenchmarkError
from benchmarks.machine import ROOT
from benchmarks.processes import end
from benchmarks.submits import submit_environment, submit_program

_JOB = ROOT / "benchmarks" / "cold_start" / "job.py"


@dataclass
class Starts:
    """The starts of one contender.

    Args:
        seconds: From the start of spark-submit to the first row on its output, each time.
        phases: What those were spent on, each time, as far as the job says.
        versions: Of Python and of the packages that it ran with.
    """

    seconds: list[float] = field(default_factory=list)
    phases: list[dict[str, float]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


def start_once(contender: Contender, model: str, timeout_s: float) -> tuple[float, float, Details]:
    """Run one job; return when spark-submit was started, the seconds to its first row, and what it says.

    Raises:
        BenchmarkError: The job failed, or took longer than `timeout_s`.
    """
    python = python_of(contender)
    with tempfile.TemporaryDirectory() as folder:
        job = [str(_JOB), "--udf", contender.udf, "--model", model, "--stamps", f"{folder}/stamps.json"]
        began, started = time.time(), time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - commands of this file
            [submit_program(python, contender.prepared), "--master", "local[1]", *job],
            cwd=ROOT,
            env=submit_environment(python, contender.prepared),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Spark's Java and Python workers end with it, whatever became of it
        )
        lines = list(_timed_lines(process, timeout_s))
    first = next((at for at, line in lines if line.startswith(FIRST_ROW)), None)
    details = next((line.removeprefix(DETAILS) for _, line in lines if line.startswith(DETAILS)), None)
    if first is None or details is None:
        last_words = "\n".join(line for _, line in lines[-5:])
        raise BenchmarkError(
            f"{contender.name} ended without a row (within {timeout_s:,.0f} seconds); it said:\n{last_words}"
        )
    return began, first - started, json.loads(details)


def python_of(contender: Contender) -> Path:
    """Return the Python that runs a contender: the peers' own where it is installed."""
    return PEERS_PYTHON if contender.udf == PIPELINE.udf and PEERS_PYTHON.is_file() else Path(sys.executable)


def measure(contenders: Sequence[Contender], model: str, repeats: int, timeout_s: float) -> dict[Contender, Starts]:
    """Start every contender `repeats` times in turns, after a round that does not count."""
    starts = {contender: Starts() for contender in contenders}
    for number in range(repeats + 1):
        turn = number % len(contenders)
        for contender in (*contenders[turn:], *contenders[:turn]):
            began, seconds, details = start_once(contender, model, timeout_s)
            if number:
                starts[contender].seconds.append(seconds)
                starts[contender].phases.append(phases(began, details["stamps"]))
                starts[contender].versions = details["versions"]
    return starts


def _timed_lines(process: subprocess.Popen[str], timeout_s: float) -> Iterator[tuple[float, str]]:
    """Yield a process's lines with the moment each was read, and end it after `timeout_s`."""
    clock = threading.Timer(timeout_s, end, [process])
    clock.start()
    with process:
        try:
            for line in process.stdout or ():
                yield time.perf_counter(), line.rstrip("\n")
        finally:
            clock.cancel()
            end(process)
