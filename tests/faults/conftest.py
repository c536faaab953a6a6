"""The library that kills, processes that can be killed, and a table of what was done to them."""

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.job import Job
from tests.faults.mortal import Mortals

EFFORT = os.environ.get("EMOTION_UDF_FAULTS", "some")
"""`some` moments of each scene, or `all`."""


@dataclass
class Tally:
    """What was done and what was lost, by kind of fault."""

    tried: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, kind: str, loss: str | None) -> None:
        self.tried[kind] += 1
        if loss:
            self.lost[kind] += 1
            self.notes.append(f"{kind}: {loss}")

    def lines(self) -> Iterator[str]:
        yield f"{'fault':<60} {'moments':>8} {'lost':>5}"
        for kind, count in self.tried.items():
            yield f"{kind:<60} {count:>8} {self.lost[kind]:>5}"
        yield f"{'all':<60} {self.tried.total():>8} {self.lost.total():>5}"
        yield from self.notes


TALLY = Tally()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY.tried:
        terminalreporter.section("faults")
        for line in TALLY.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def killpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
    library = tmp_path_factory.mktemp("killpoint") / "killpoint.so"
    source = Path(__file__).with_name("killpoint.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture(scope="session")
def mortals(killpoint: Path) -> Iterator[Mortals]:
    with Mortals(killpoint) as mortals:
        yield mortals


@pytest.fixture(scope="session")
def yesterday(tweets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A warehouse with one night, and how long such a night takes."""
    root = tmp_path_factory.mktemp("yesterday")
    job = Job(tweets, root)
    ended = job.end()
    assert ended.code == 0, ended.output
    return root, time.monotonic() - job.started
