"""What a contender is asked and what it answers, as JSON. Needs the standard library only."""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.cpu_time import SessionClock
from benchmarks.machine import versions

Settings = dict[str, Any]
"""How a contender is set beyond the request; goes to the record."""

Answer = dict[str, Any]
"""`seconds` and `cpu_s` of each timed job, `settings`, `versions`."""

Job = Callable[[str, str], None]
"""Label the rows of the first folder into the second."""


@dataclass(frozen=True)
class Request:
    """What a contender is asked to do.

    Attributes:
        contender: Its name.
        model: The model folder.
        timed: The folder of Parquet files to label, with `id` and `text`, one file a core.
        warm_up: The same, to label first and untimed, so that workers have loaded their model.
        output: Where labels go, as Parquet with `id`, `label` and, by their names, the probabilities where the
            contender tells them; the answer goes beside it, as `.answer.json`.
        cores: Cores to use.
        repeats: How often to label all rows.
        best: Use the best settings known for it, not those of its documentation.
    """

    contender: str
    model: str
    timed: str
    warm_up: str
    output: str
    cores: int
    repeats: int
    best: bool

    @property
    def answer(self) -> Path:
        """The JSON file to write."""
        return Path(f"{self.output}.answer.json")

    def to_json(self) -> str:
        """Return what the contender's process is given as its argument."""
        return json.dumps(asdict(self))


def answer(run: Callable[[Request], Answer]) -> None:
    """Be a contender: read the request from the command line, do it, and write the answer."""
    request = Request(**json.loads(sys.argv[1]))
    request.answer.write_text(json.dumps(run(request)), encoding="utf-8")


def time_jobs(request: Request, job: Job, settings: Settings) -> Answer:
    """Label the warm-up rows once, then all rows `repeats` times, each on the clock."""
    job(request.warm_up, request.output)
    clock = SessionClock(os.getsid(0))  # a contender and its workers are a session
    spent: dict[str, list[float]] = {"seconds": [], "cpu_s": []}
    for _ in range(request.repeats):
        before, started = clock.sample(), time.perf_counter()
        job(request.timed, request.output)
        spent["seconds"].append(time.perf_counter() - started)
        spent["cpu_s"].append(clock.sample() - before)
    return spent | {"settings": settings, "versions": versions()}


def sizes_of(model: str) -> dict[str, Any]:
    """Return a model folder's configuration, in transformers' names."""
    found: dict[str, Any] = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    return found


def labels_of(model: str) -> list[str]:
    """Return a model folder's labels in the order of their ids."""
    id2label = sizes_of(model)["id2label"]
    return [str(id2label[number]) for number in sorted(id2label, key=int)]
