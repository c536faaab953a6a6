"""The memory of Spark's Python workers, sampled from Linux's /proc while a job runs.

It is the proportional set size: forked workers share pages, and each page is counted once. Any other program that maps
torch's libraries takes a share off it, so the part that stands in no file, the worker's alone, is told beside it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

SAMPLE_EVERY_S: Final = 0.2


class MemorySampler:
    """Samples the memory of the Python workers that Spark has below a process at the start, from `with` to its end."""

    def __init__(self, root: int | None = None) -> None:
        self.samples: list[tuple[float, float]] = []
        self._workers = python_workers(root or os.getpid())
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def peaks(self) -> dict[str, float]:
        """Return the most that any worker took at once, in MiB, and the most that stood in no file."""
        return {
            "peak_mib": max(mib for mib, _ in self.samples),
            "own_peak_mib": max(own_mib for _, own_mib in self.samples),
        }

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_S):
            for pid in self._workers:
                with suppress(OSError):  # it has ended
                    self.samples.append(read_mib(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")))


def read_mib(smaps_rollup: str) -> tuple[float, float]:
    """Return the proportional set size of a `/proc/<pid>/smaps_rollup`, and the part of it that stands in no file."""
    lines = (line.partition(":") for line in smaps_rollup.splitlines())
    kib = {name: int(rest.split()[0]) for name, _, rest in lines if name.startswith("Pss")}
    return kib["Pss"] / 1_024, kib["Pss_Anon"] / 1_024


def python_workers(root: int, command: bytes = b"pyspark.daemon") -> list[int]:
    """Return Spark's Python workers below the process `root`: its daemons' children, with the daemons' command."""
    daemons = {pid for pid in descendants(root) if command in _command_line(pid)}
    return sorted({pid for daemon in daemons for pid in descendants(daemon) if pid in daemons})


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes that a process and its descendants have started and that run."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            for child in map(int, children.read_text(encoding="utf-8").split()):
                yield child
                yield from descendants(child)


def _command_line(pid: int) -> bytes:
    with suppress(OSError):  # it has ended
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
