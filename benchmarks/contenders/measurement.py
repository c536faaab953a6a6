"""What a contender is asked, and what it answers: one request, one JSON file. Needs the standard library only."""

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypedDict

from benchmarks.machine import versions

Settings = dict[str, str | int | float | bool | None]
"""What a contender was told beyond the request; goes to the result as it is."""

Job = Callable[[Path, Path], float | None]
"""Label the rows of the first folder into the second. May return how many of its seconds passed before its workers
were ready, where the peer starts them anew with every job."""


@dataclass(frozen=True)
class Request:
    """What a contender is asked to do.

    Args:
        model: The model folder.
        timed: The folder of Parquet files to time, with `id` and `text`.
        warm_up: The folder of those to label first, untimed.
        output: Where the labels go, as Parquet with `id` and `label`.
        answer: The JSON file to write.
        cores: Cores to use.
        repeats: How often to label all rows.
        best: Use the best settings known for it, not those of its documentation.
    """

    model: Path
    timed: Path
    warm_up: Path
    output: Path
    answer: Path
    cores: int
    repeats: int
    best: bool

    def to_arguments(self) -> list[str]:
        """Return the command line that `read_request` reads."""
        named = [
            text for field in fields(self)[:-1] for text in (f"--{_dashed(field.name)}", str(getattr(self, field.name)))
        ]
        return [*named, "--best"] if self.best else named


class Answer(TypedDict, total=False):
    """What a contender says.

    Args:
        seconds: Wall-clock seconds of each timed job, without those in `start_up_s`.
        start_up_s: Seconds of each timed job before its workers were ready; 0 where they still were.
        warmed_up_at: Seconds since the epoch when the warm-up was done.
        settings: How it was set.
        versions: Of Python and of the packages that it ran with.
        error: Why there are no seconds; the last line of what it raised.
    """

    seconds: list[float]
    start_up_s: list[float]
    warmed_up_at: float
    settings: Settings
    versions: dict[str, str]
    error: str


def answer(run: Callable[[Request], Answer], arguments: Sequence[str] | None = None) -> None:
    """Be a contender: read the request, do it, and write the answer, or the error and end with exit code 1."""
    request = read_request(arguments)
    try:
        said = run(request)
    except Exception as error:
        traceback.print_exc()
        said = Answer(error=last_line(error))
    request.answer.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    if "error" in said:
        sys.exit(1)


def measure(request: Request, job: Job, settings: Settings) -> Answer:
    """Label the warm-up rows once, then all rows `repeats` times, each on the clock."""
    job(request.warm_up, request.output)
    warmed_up_at = time.time()
    seconds, start_up_s = [], []
    for _ in range(request.repeats):
        started = time.perf_counter()
        start_up = job(request.timed, request.output) or 0.0
        seconds.append(time.perf_counter() - started - start_up)
        start_up_s.append(start_up)
    return Answer(
        seconds=seconds, start_up_s=start_up_s, warmed_up_at=warmed_up_at, settings=settings, versions=versions()
    )


def read_request(arguments: Sequence[str] | None = None) -> Request:
    """Read a request from the command line."""
    parser = argparse.ArgumentParser(description="One contender of benchmarks/throughput.py.")
    for name in ("model", "timed", "warm-up", "output", "answer"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("cores", "repeats"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--best", action="store_true")
    return Request(**vars(parser.parse_args(arguments)))


def labels_of(model: Path) -> list[str]:
    """Return a model folder's labels in the order of their ids."""
    id2label: dict[str, Any] = json.loads((model / "config.json").read_text(encoding="utf-8"))["id2label"]
    return [str(id2label[number]) for number in sorted(id2label, key=int)]


def last_line(error: BaseException) -> str:
    """Return the last line of an error that says why; Spark puts Java's stack below the worker's own words."""
    lines = [line.strip() for line in "".join(traceback.format_exception_only(error)).splitlines()]
    words = [line for line in lines if line and not line.startswith(("at ", "...", "JVM stacktrace", "Driver stack"))]
    return words[-1] if words else type(error).__name__


def _dashed(name: str) -> str:
    return name.replace("_", "-")
