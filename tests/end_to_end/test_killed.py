"""Nights that are killed, wholly or in part."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.jobs import command, environment, query, submit, tweets_settings
from tests.helpers.paths import ROOT

DAY = "--date=2026-10-05"


@contextmanager
def scoring(arguments: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """Start a job, in a process group of its own, and wait until it scores."""
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command(*arguments), cwd=ROOT, env=environment(), start_new_session=True, **output) as job:  # type: ignore[call-overload]
        while "step=quarantine done" not in (line := job.stdout.readline()):
            assert line, "the job ended before it scored"
        yield job


def test_after_a_kill_nothing_is_published_and_the_next_run_succeeds_unaided(data: Path, tmp_path: Path) -> None:
    arguments = [*tweets_settings(data, tmp_path), DAY]
    with scoring(arguments) as job:
        os.killpg(job.pid, signal.SIGKILL)  # texts are staged, and the files of quarantine are written

    assert job.returncode == -signal.SIGKILL
    assert not list(tmp_path.glob("*/_delta_log"))

    again = submit(*arguments)

    assert again.code == 0, again.output
    assert query(tmp_path, "SELECT count(*), count(DISTINCT run_id) FROM emotion_labels") == [(1333, 1)]
    assert query(tmp_path, "SELECT outcome, rows_read FROM runs") == [("published", 1333)]


def test_a_killed_python_worker_costs_a_retry_and_not_the_night(data: Path, tmp_path: Path) -> None:
    with scoring([*tweets_settings(data, tmp_path), DAY]) as job:
        os.kill(worker_with_torch(job.pid), signal.SIGKILL)
        output = job.stdout.read() if job.stdout else ""

    assert job.returncode == 0, output
    assert "Lost task" in output
    assert query(tmp_path, "SELECT count(*), count(DISTINCT feedback_id) FROM emotion_labels") == [(1333, 1333)]


def worker_with_torch(session: int) -> int:
    """Wait until a Python worker of a process session has loaded torch, and return its number."""
    while True:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(process.name)) == session and "libtorch" in (process / "maps").read_text():
                    return int(process.name)
            except OSError:
                continue  # it ended while we looked
