"""What a contender is asked and what it answers: a JSON file each. Needs the standard library only."""

import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import versions

Settings = dict[str, str | int | float | bool | None]
"""How a contender is set beyond the request; goes to the record as it is."""

Answer = dict[str, Any]
"""`seconds` and `start_up_s` of each timed job, `warmed_up_at` in seconds since the epoch, `settings`, `versions`;
or `failed` alone, the reason."""

Job = Callable[[Path, Path], float | None]
"""Label the rows of the first folder into the second. May return how many of its seconds passed before its workers
were ready, where the peer starts them anew with every job."""


@dataclass(frozen=True)
class Request:
    """What a contender is asked to do.

    Attributes:
        model: The model folder.
        timed: The folder of Parquet files to label, with `id` and `text`, one file a core.
        warm_up: The same, to label first and untimed, so that workers have loaded their model.
        output: Where the labels go, as Parquet with `id` and `label`.
        answer: The JSON file to write.
        cores: Cores to use.
        repeats: How often to label all rows.
        best: Use the best settings known for it, not those of its documentation.
    """

    model: str
    timed: str
    warm_up: str
    output: str
    answer: str
    cores: int
    repeats: int
    best: bool

    def write(self, file: Path) -> None:
        """Write it for `answer`, in the contender's process."""
        file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def answer(run: Callable[[Request], Answer]) -> None:
    """Be a contender: read the request that the command line names, do it, and write the answer."""
    request = Request(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    try:
        answered = run(request)
    except Exception as error:
        traceback.print_exc()
        answered = {"failed": last_line(error)}
    Path(request.answer).write_text(json.dumps(answered, indent=2) + "\n", encoding="utf-8")


def time_jobs(request: Request, job: Job, settings: Settings) -> Answer:
    """Label the warm-up rows once, then all rows `repeats` times, each on the clock."""
    output = Path(request.output)
    job(Path(request.warm_up), output)
    warmed_up_at = time.time()
    seconds = []
    start_up_s = []
    for _ in range(request.repeats):
        started = time.perf_counter()
        start_up = job(Path(request.timed), output) or 0.0
        seconds.append(time.perf_counter() - started - start_up)
        start_up_s.append(start_up)
    return {
        "seconds": seconds,
        "start_up_s": start_up_s,
        "warmed_up_at": warmed_up_at,
        "settings": settings,
        "versions": versions(),
    }


def labels_of(model: str) -> list[str]:
    """Return a model folder's labels in the order of their ids."""
    id2label = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))["id2label"]
    return [str(id2label[number]) for number in sorted(id2label, key=int)]


def last_line(error: BaseException) -> str:
    """Return the last line of an error that says why; Spark puts Java's stack below the worker's own words."""
    lines = [line.strip() for line in "".join(traceback.format_exception_only(error)).splitlines()]
    words = [line for line in lines if line and not line.startswith(("at ", "...", "JVM stacktrace", "Driver stack"))]
    return words[-1] if words else type(error).__name__
