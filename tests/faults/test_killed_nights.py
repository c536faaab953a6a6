"""Whole nights, Spark and all, killed at moments spread over their time and at the end of each step.

`make faults` takes FAULT_NIGHTS of them, `make test-slow` the end of one step.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from emotion_udf.schemas import DAILY
from tests.faults import scenes
from tests.faults.conftest import EFFORT, TALLY
from tests.faults.job import Job

STEPS = ("inventory", "read", "canary", "score", "label", "terms", "aggregate", "gate", "publish")
NIGHTS = int(os.environ.get("FAULT_NIGHTS", "32"))

pytestmark = pytest.mark.slow


def daily(root: Path) -> pa.Table:
    """Return the aggregates without the runs that made them."""
    return (
        DeltaTable(root / "w" / DAILY)
        .to_pyarrow_table()
        .drop_columns(["run_id"])
        .sort_by([("event_date", "ascending"), ("emotion", "ascending")])
    )


def kills(duration: float) -> Iterator[tuple[str, float]]:
    """Yield the moments: after a line of the job's output, or after seconds."""
    steps = STEPS if EFFORT == "all" else STEPS[3:4]
    yield from ((f"step={step} done", 0) for step in steps)
    spread = NIGHTS - len(steps) if EFFORT == "all" else 0
    yield from (("", duration * (n + 0.5) / spread) for n in range(spread))


def test_a_night_that_is_killed_at_any_moment_costs_nothing_but_its_time(
    tweets: Path, yesterday: tuple[Path, float], tmp_path: Path
) -> None:
    before, duration = yesterday
    expected = daily(before)
    shown = json.dumps(scenes.seen(str(before)))
    for line, seconds in kills(duration):
        kind = f"whole night, killed {'at the end of a step' if line else 'at a moment'}"
        root = tmp_path / "killed"
        shutil.copytree(before, root)
        try:
            job = Job(tweets, root)
            if line:
                job.read_until(line)
            else:
                time.sleep(seconds)
            os.killpg(job.process.pid, signal.SIGKILL)
            killed = job.end()
            assert job.texts_on_disk() == []
            scenes.check(str(root), shown, "[[0]]")
            again = Job(tweets, root).end()
            assert again.code == 0, again.output
            assert daily(root).equals(expected)
            scenes.check_nothing_of_a_night_is_left(str(root))
        except AssertionError as error:
            TALLY.add(kind, f"{line or seconds}: {error}")
            raise
        TALLY.add(kind, None if killed.code else "it had ended")
        shutil.rmtree(root)
