"""The jobs as a scheduler starts them, and the tables as their readers open them."""

import io
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable

from tests.helpers.paths import ROOT
from tests.helpers.spark import MASTER, options


@dataclass(frozen=True)
class Ended:
    """A job that has ended; spark-submit prints both of the job's streams to one."""

    code: int
    out: str
    err: str = ""

    @property
    def output(self) -> str:
        return self.out + self.err


Submit = Callable[..., Ended]
"""Runs the nightly job with the arguments given."""


def command(*arguments: str, master: str = MASTER, spark: Sequence[str] = ()) -> list[str]:
    """The command line of a night; `spark` are more options of spark-submit."""
    return ["spark-submit", *options(master), *spark, "jobs/score_feedback.py", *arguments]


def environment() -> dict[str, str]:
    """The environment of a scheduler that has activated the tests' Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {key: value for key, value in os.environ.items() if key != "PYSPARK_SUBMIT_ARGS"}
    return inherited | {"PATH": path, "PYSPARK_PYTHON": sys.executable, "SPARK_CONF_DIR": str(ROOT / "conf")}


def submit(*arguments: str, master: str = MASTER, spark: Sequence[str] = ()) -> Ended:
    """Run the nightly job by spark-submit from the project's root."""
    started = command(*arguments, master=master, spark=spark)
    ended = subprocess.run(started, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def run_main(main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> Ended:
    """Run a job in this process, as if it were its own; what argparse refuses ends with SystemExit."""
    out = io.StringIO()
    err = io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), fresh_logging(), own_signals():
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = int(str(exit_.code))
    return Ended(code, out.getvalue(), err.getvalue())


@contextmanager
def own_signals() -> Iterator[None]:
    """Give the signals back that a job handles until its process ends."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def fresh_logging() -> Iterator[None]:
    """Let a job start logging anew, where pytest has started it already."""
    root = logging.getLogger()
    handlers = root.handlers
    level = root.level
    root.handlers = []
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


def query(warehouse: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask DuckDB, which sees each Delta table under its name."""
    with duckdb.connect() as connection:
        for table in ("emotion_labels", "emotion_daily", "emotion_terms", "quarantine", "runs"):
            if (warehouse / table).is_dir():
                connection.register(table, DeltaTable(warehouse / table).to_pyarrow_dataset())
        return connection.execute(sql).fetchall()
