"""The memory of Spark's Python workers, sampled from Linux's /proc while a job runs.

    with MemorySampler() as memory:
        ...  # a job in this process's Spark
    workers = [summarize_memory(samples) for samples in memory.samples.values()]

It is the proportional set size: forked workers share pages, and each page is counted once. Any other program that maps
torch's libraries takes a share off it, so the part that stands in no file, the worker's alone, is told beside it.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from types import TracebackType
from typing import Final, Self

SAMPLE_EVERY_S: Final = 0.2
_LOOK_FOR_WORKERS_EVERY = 10  # samples: a look reads all of /proc
_KIB_A_MIB = 1024


@dataclass(frozen=True)
class Sample:
    """One look at a process.

    Attributes:
        mib: Its proportional set size in MiB.
        own_mib: The part of it that stands in no file: heap, objects, weights.
    """

    mib: float
    own_mib: float


class MemorySampler:
    """Samples the memory of all Python workers of this process's Spark, from `with` to its end.

    Args:
        every_s: Seconds between samples.
    """

    def __init__(self, every_s: float = SAMPLE_EVERY_S) -> None:
        self.samples: dict[int, list[Sample]] = {}
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        workers: list[int] = []
        taken = 0
        while True:
            if taken % _LOOK_FOR_WORKERS_EVERY == 0:
                workers = python_workers(os.getpid())
            for pid in workers:
                try:
                    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
                except OSError:  # it has ended
                    continue
                self.samples.setdefault(pid, []).append(read_sample(rollup))
            taken += 1
            if self._ended.wait(self._every_s):
                return


def summarize_memory(samples: Sequence[Sample]) -> dict[str, float]:
    """Return the peaks of one worker's samples, at least one, and the mean of their last quarter, in MiB."""
    last_quarter = samples[len(samples) * 3 // 4 :]
    return {
        "peak_mib": round(max(sample.mib for sample in samples), 1),
        "last_quarter_mib": round(mean(sample.mib for sample in last_quarter), 1),
        "own_peak_mib": round(max(sample.own_mib for sample in samples), 1),
    }


def read_sample(smaps_rollup: str) -> Sample:
    """Return what a `/proc/<pid>/smaps_rollup` says."""
    lines = (line.partition(":") for line in smaps_rollup.splitlines())
    kib = {name: int(rest.split()[0]) for name, _, rest in lines if name.startswith("Pss")}
    return Sample(kib.get("Pss", 0) / _KIB_A_MIB, kib.get("Pss_Anon", 0) / _KIB_A_MIB)


def python_workers(root: int, proc: Path = Path("/proc")) -> list[int]:
    """Return the Python workers of Spark below the process `root`: what its daemons have forked."""
    parents = {int(entry.name): _parent(entry) for entry in proc.iterdir() if entry.name.isdigit()}
    daemons = {pid for pid in parents if _runs_daemon(proc / str(pid))}
    workers = [pid for pid in daemons if parents[pid] in daemons and _is_below(root, pid, parents)]
    return sorted(workers)


def _parent(entry: Path) -> int:
    try:
        # The second field is the program's name in brackets, and may hold brackets and spaces itself.
        return int((entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return 0


def _runs_daemon(entry: Path) -> bool:
    """Return whether a process is Spark's daemon of Python workers, or was forked from it."""
    try:
        return b"pyspark.daemon" in (entry / "cmdline").read_bytes()
    except OSError:  # it has ended
        return False


def _is_below(root: int, pid: int, parents: Mapping[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == root:
            return True
    return False
