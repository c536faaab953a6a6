"""What a job takes of a machine over time, from Linux's /proc: CPU seconds, and the memory of each of its parts."""

import re
import sys
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.cpu_time import SessionClock
from benchmarks.harness import Row
from benchmarks.launchers import job_environment, run_logged

ROLES: Final[Mapping[str, str]] = {
    "executor_jvm": "CoarseGrainedExecutorBackend",
    "driver_jvm": "org.apache.spark.deploy.SparkSubmit",
    "worker": "pyspark.daemon",
    "driver_python": "score_feedback.py",
}
"""The parts of a job on a cluster by what their command lines have, looked for in this order."""

_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


class SessionWatch(SessionClock):
    """A `SessionClock` that remembers what it saw, and when.

    Args:
        session: The id of the session.

    Attributes:
        peak_mib: The most memory that a process of each role has had, as the kernel counts it.
    """

    def __init__(self, session: int) -> None:
        super().__init__(session)
        self.peak_mib: dict[str, float] = {}
        self._moments: list[float] = []
        self._cpu: list[float] = []

    def sample(self) -> float:
        """Look at the processes that run now, and return the CPU seconds of all that were seen so far."""
        cpu_s = super().sample()
        self._moments.append(time.time())
        self._cpu.append(cpu_s)
        for pid, _ in self._ticks:
            with suppress(OSError):  # it has ended
                role, peak = _look_at(Path("/proc", pid))
                self.peak_mib[role] = max(peak, self.peak_mib.get(role, 0.0))
        return cpu_s

    def cpu_between(self, start: float, end: float) -> float:
        """Return the CPU seconds between two moments, in seconds since 1970, to the nearest sample before each."""
        before, after = (bisect_right(self._moments, moment) - 1 for moment in (start, end))
        return self._cpu[max(0, after)] - self._cpu[max(0, before)] if self._cpu else 0.0


def submit_watched(arguments: Sequence[str], log: Path, timeout_s: float) -> tuple[Row, SessionWatch]:
    """Run spark-submit with the project's settings of Spark, and watch all that it starts.

    Args:
        arguments: Of spark-submit.
        log: The file for what it prints.
        timeout_s: Seconds that it may take.

    Returns:
        What `run_logged` returns, and what watched.

    Raises:
        BenchmarkError: It failed or took too long.
    """
    watches: list[SessionWatch] = []

    def watch(session: int) -> SessionWatch:
        watches.append(SessionWatch(session))
        return watches[-1]

    python = Path(sys.executable)
    environment = job_environment(python) | {"SPARK_CONF_DIR": "conf"}
    spent = run_logged([str(python.parent / "spark-submit"), *arguments], environment, log, timeout_s, watch=watch)
    return spent, watches[0]


def _look_at(process: Path) -> tuple[str, float]:
    """Return a process's role, and its peak of memory in MiB; 0 of one that is ending."""
    command = (process / "cmdline").read_text(encoding="utf-8", errors="replace")
    role = next((name for name, mark in ROLES.items() if mark in command), "other")
    peak = _PEAK.search((process / "status").read_text(encoding="utf-8", errors="replace"))
    return role, int(peak[1]) / 1024 if peak else 0.0
