"""SIGTERM and SIGINT to each process of a submitted job, and to all of them at once."""

import os
import signal
from pathlib import Path

import pytest

from tests.faults import scenes
from tests.faults.conftest import EFFORT, TALLY
from tests.faults.job import Job
from tests.helpers.jobs import query

pytestmark = pytest.mark.slow

ALL = [
    (which, number)
    for which in ("java", "driver", "daemon", "worker", "all")
    for number in (signal.SIGTERM, signal.SIGINT)
]
SOME = [("driver", signal.SIGTERM)]


@pytest.mark.parametrize(("which", "number"), ALL if EFFORT == "all" else SOME)
def test_a_signal_ends_a_job_tidily_or_costs_a_retry(
    tweets: Path, tmp_path: Path, which: str, number: signal.Signals
) -> None:
    job = Job(tweets, tmp_path)
    job.read_until("step=inventory done")  # from here on the input is read and the canary scored, side by side
    victim = job.find("java" if which == "all" else which)
    if which == "all":
        os.killpg(victim, number)
    else:
        os.kill(victim, number)
    ended = job.end()
    kind = f"{number.name} to {which}"
    try:
        if which in ("daemon", "worker"):
            assert ended.code == 0, ended.output
        else:
            assert ended.code != 0, ended.output
            assert "Py4J" not in ended.output, ended.output
            assert "Traceback" not in ended.output, ended.output
        assert job.texts_on_disk() == []
        again = Job(tweets, tmp_path).end()
        assert again.code == 0, again.output
        scenes.check_nothing_of_a_night_is_left(str(tmp_path))
        runs = query(tmp_path / "w", "SELECT outcome FROM runs ORDER BY started_at")
        assert [outcome for (outcome,) in runs] == ["published" if ended.code == 0 else "failed", "published"]
    except AssertionError as error:
        TALLY.add(kind, str(error))
        raise
    TALLY.add(kind, None)
