"""A nightly job that is submitted, whose processes a test may end."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.jobs import Ended, command, environment
from tests.helpers.paths import ROOT
from tests.helpers.spark import MASTER
from tests.helpers.tweets import DAYS, own_tweets, tweets_settings


class Job:
    """A nightly job that is submitted, in a session of its own.

    Args:
        tweets: Its input.
        root: The folder of its warehouse `w`, and of Spark's local folders.
        day: The date.
        settings: More arguments of the job.
        spark: More options of spark-submit.
        variables: Of its environment.
    """

    def __init__(
        self,
        tweets: Path,
        root: Path,
        day: str = str(DAYS[0]),
        settings: Sequence[str] = (),
        spark: Sequence[str] = (),
        **variables: str,
    ) -> None:
        self.local = root / "local"
        known = environment() | {"SPARK_LOCAL_DIRS": str(self.local)} | variables
        line = command(*tweets_settings(tweets, root / "w"), f"--date={day}", *settings, master=MASTER, spark=spark)
        self.lines: list[str] = []
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            line,
            cwd=ROOT,
            env=known,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        pytest.fail(f"expected {text!r}, found:\n{''.join(self.lines)}")

    def end(self) -> Ended:
        """Wait until all of its processes are gone."""
        assert self.process.stdout is not None
        self.lines += self.process.stdout
        self.process.stdout.close()
        code = self.process.wait(120)
        until = time.monotonic() + 30
        while left := self.processes():
            assert time.monotonic() < until, f"expected no process of the job, found {left}"
            time.sleep(0.1)
        return Ended(code, "".join(self.lines))

    def processes(self) -> dict[int, str]:
        """Return the job's processes that are there, with their command lines."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(place.name)) == self.process.pid and int(place.name) != self.process.pid:
                    found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended while we looked
        return {pid: line for pid, line in found.items() if line}  # a zombie has none

    def find(self, which: str) -> int:
        """Wait for one of the job's processes and return its number."""
        while True:
            processes = self.processes()
            if which == "java":
                return self.process.pid  # the shell of spark-submit becomes it
            if which == "driver":
                return next(pid for pid, line in processes.items() if "score_feedback" in line)
            daemons = [pid for pid, line in processes.items() if "pyspark.daemon" in line]
            workers = [pid for pid in daemons if self._has_torch(pid)]
            if workers:  # each was forked by the daemon, whose number is the lowest
                return min(daemons) if which == "daemon" else workers[0]
            assert self.process.poll() is None, "expected a job that scores, found one that has ended"

    def _has_torch(self, pid: int) -> bool:
        try:
            return "libtorch" in Path(f"/proc/{pid}/maps").read_text()
        except OSError:
            return False

    def texts_on_disk(self) -> list[str]:
        """Return the files in Spark's local folders that hold a text."""
        texts = [row["text"].encode() for row in own_tweets().to_pylist() if len(row["text"]) > 12]
        files = [file for file in self.local.rglob("*") if file.is_file()]
        return [str(file) for file in files if any(text in file.read_bytes() for text in texts)]
