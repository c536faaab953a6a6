"""A driver of a test's own: a process in whose one session nights run one after another."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Final

import pytest

from tests.helpers.jobs import Ended, environment
from tests.helpers.paths import ROOT
from tests.helpers.spark import JAVA

ENDED: Final = "a night has ended: "
QUIET_MINUTES: Final = 5


@dataclass
class Driver:
    """A driver that runs.

    Attributes:
        process: It.
    """

    process: "subprocess.Popen[str]"
    _lines: "Queue[str]" = field(default_factory=Queue)
    _read: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        Thread(target=self._listen, daemon=True).start()

    def run(self, *arguments: str) -> Ended:
        """Run a night to its end."""
        self.start(*arguments)
        return self.end()

    def start(self, *arguments: str) -> None:
        """Begin a night."""
        assert self.process.stdin is not None
        self._read = []
        self.process.stdin.write(json.dumps(arguments) + "\n")
        self.process.stdin.flush()

    def read_until(self, text: str) -> str:
        """Wait until the night says something."""
        while True:
            line = self._lines.get(timeout=60 * QUIET_MINUTES)
            self._read.append(line)
            if text in line:
                return line
            if not line:
                pytest.fail(f"expected {text!r}, found:\n{''.join(self._read)}")

    def end(self) -> Ended:
        """Wait for the end of the night."""
        code = int(self.read_until(ENDED).partition(ENDED)[2])
        return Ended(code, "".join(self._read))

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")


@contextmanager
def running_driver(
    master: str,
    folder: Path,
    conf: Mapping[str, str],
    options: Sequence[str] = (),
    program: Sequence[str] = (sys.executable, "-m", "tests.cluster.driver"),
    **variables: str,
) -> Iterator[Driver]:
    """Start a driver, and end it and its Java.

    Args:
        master: The URL of the cluster.
        folder: Takes Spark's local files.
        conf: Settings of Spark.
        options: More options of spark-submit.
        program: The driver.
        variables: Of its environment.
    """
    settings = [f"--conf={key}={value}" for key, value in conf.items()]
    line = [f"--master={master}", f"--driver-java-options={JAVA}", *settings, *options, "pyspark-shell"]
    known = {"PYSPARK_SUBMIT_ARGS": shlex.join(line), "PYTHONPATH": str(ROOT), "SPARK_LOCAL_DIRS": str(folder)}
    process = subprocess.Popen(
        program,
        cwd=ROOT,
        env=environment() | {"SPARK_LOCAL_IP": "127.0.0.1", "OMP_NUM_THREADS": "1"} | known | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield Driver(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
