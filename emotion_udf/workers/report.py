"""What a task has done, as its worker tells it: a line of JSON in the last row that the task returns.

That is the one way from a worker to the driver that every Spark has, over Connect too, and that costs no job.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Sized
from dataclasses import asdict, dataclass
from pathlib import Path
from socket import gethostname
from typing import Self, TypeVar

from emotion_udf.classifier.scores import Scores

Rows = TypeVar("Rows", bound=Sized)

_told: set[int] = set()
"""The number of this process, once it has begun a task (a fork has another)."""


@dataclass
class TaskReport:
    """A task, from its first rows to its last. Seconds are of the wall clock.

    Attributes:
        host: The machine.
        executor: The number of the process that made the worker: each executor of a machine has one.
        worker: The worker's own number.
        began_at: When the worker was taken for the task, since 1970; for its first task that is when it was made.
        is_again: Whether the task was tried before, or scores carefully because others were.
        ended_at: When its last rows came out, since 1970.
        seconds: From its first rows to its last.
        loads: How often a process had to load the model for it.
        load_seconds: What that took, with the import of its libraries.
        opening_seconds: How much of the longest load it took to read and check the model's folder.
        tokens: Tokens that the model read.
        computed_tokens: Tokens of the batches that were begun for them.
        engine: What scored.
    """

    host: str
    executor: int
    worker: int
    began_at: float
    is_again: bool = False
    ended_at: float = 0.0
    seconds: float = 0.0
    loads: int = 0
    load_seconds: float = 0.0
    opening_seconds: float = 0.0
    tokens: int = 0
    computed_tokens: int = 0
    engine: str = ""

    @classmethod
    def begin(cls, is_again: bool) -> Self:
        """Begin the report of the task that this process works on from now on."""
        is_new = os.getpid() not in _told
        _told.add(os.getpid())
        began_at = _made_at() if is_new else time.time()
        return cls(gethostname(), os.getppid(), os.getpid(), round(began_at, 3), is_again)

    def loaded(self, seconds: float, opening_seconds: float) -> None:
        """Add that a process has loaded the model."""
        self.loads += 1
        self.load_seconds += seconds
        self.opening_seconds = max(self.opening_seconds, opening_seconds)

    def scored(self, scores: Scores) -> None:
        """Add what was scored."""
        self.tokens += scores.read_tokens
        self.computed_tokens += scores.computed_tokens

    def line(self, seconds: float) -> str:
        """Return the report, of a task that ends now and took so long."""
        self.seconds = seconds
        self.ended_at = round(time.time(), 3)
        return json.dumps({name: round(v, 3) if isinstance(v, float) else v for name, v in asdict(self).items()})


def read_reports(lines: Iterable[str | None]) -> list[TaskReport]:
    """Return the reports among what rows tell: only the last row of a task has one."""
    return [TaskReport(**json.loads(line)) for line in lines if line]


class RowCount:
    """Tells when the rows that come out of a task are its last: as many as went in, and no more will go in."""

    def __init__(self) -> None:
        self._taken = 0
        self._given = 0
        self._is_all_taken = False

    def take(self, chunks: Iterable[Rows]) -> Iterator[Rows]:
        """Pass on what goes into the task."""
        for chunk in chunks:
            self._taken += len(chunk)
            yield chunk
        self._is_all_taken = True

    def is_last(self, given: Sized) -> bool:
        """Tell whether these rows, which come out of it, are its last."""
        self._given += len(given)
        return self._is_all_taken and self._given == self._taken and len(given) > 0


def _made_at() -> float:
    """Return when this process was made, since 1970."""
    after_boot = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - after_boot / os.sysconf("SC_CLK_TCK")
    return time.time() - age
