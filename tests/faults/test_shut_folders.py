"""A folder of the warehouse that the job's user may not use: one message, or a warning where it decides nothing."""

import shutil
from pathlib import Path

import pytest

from tests.faults import scenes
from tests.faults.conftest import EFFORT, TALLY
from tests.faults.job import Job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(EFFORT != "all", reason="each starts Spark twice; make faults has them"),
]

FAILS = ["emotion_labels", "emotion_daily", "emotion_terms", "quarantine", "releases"]
WARNS = ["text_scores", "runs"]


@pytest.mark.parametrize("table", FAILS + WARNS)
def test_a_folder_that_may_not_be_used(
    tweets: Path, yesterday: tuple[Path, float], killpoint: Path, tmp_path: Path, table: str
) -> None:
    root = tmp_path / "shut"
    shutil.copytree(yesterday[0], root)
    kill = {"LD_PRELOAD": str(killpoint), "KILL_WHEN": "shut", "KILL_MATCH": f"{root}/w/{table}"}
    ended = Job(tweets, root, **kill).end()
    try:
        assert "Py4J" not in ended.output, ended.output
        assert "Traceback" not in ended.output, ended.output
        assert ended.code == (1 if table in FAILS else 0), ended.output
        errors = [line for line in ended.output.splitlines() if line.startswith("error: ")]
        assert len(errors) == ended.code, ended.output
        assert all("found no permission" in line and "let the job's user" in line for line in errors), ended.output
        again = Job(tweets, root).end()
        assert again.code == 0, again.output
        scenes.check_nothing_of_a_night_is_left(str(root))
    except AssertionError as error:
        TALLY.add(f"{table} shut", str(error))
        raise
    TALLY.add(f"{table} shut", None)
