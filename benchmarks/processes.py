"""The processes that a benchmark starts, each the leader of a session of its own. Needs the standard library only."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from benchmarks.machine import ROOT


def run_to_end(command: Sequence[str], environment: Mapping[str, str], output: int, timeout_s: float) -> int | None:
    """Run a command in the project's folder and return its exit code; None where it took longer than `timeout_s`.

    Spark's Java and Python workers end with it, whatever became of it.

    Args:
        command: The program and its arguments.
        environment: All of its environment variables.
        output: The open file for what it writes to its terminal.
        timeout_s: Seconds that it may take.
    """
    process = subprocess.Popen(  # noqa: S603 - commands of the benchmarks
        command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
    )
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end(process)
        process.wait()


def end(process: subprocess.Popen[Any]) -> None:
    """End a process that was started as the leader of its session, with all that it started."""
    with suppress(ProcessLookupError):  # nothing is left of it
        os.killpg(process.pid, signal.SIGKILL)
