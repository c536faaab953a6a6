"""Runs that work at the same time, on one date or on several, in a warehouse that is there or is new."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from emotion_udf.tables.runs import list_runs
from tests.faults import scenes
from tests.faults.conftest import EFFORT, TALLY
from tests.faults.job import Job
from tests.faults.mortal import Mortals
from tests.helpers.tweets import DAYS

ROUNDS = 25 if EFFORT == "all" else 1


@pytest.mark.slow
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "old"])
@pytest.mark.parametrize("dates", ["one date", "several dates"])
@pytest.mark.parametrize("runs", [2, 5])
def test_of_runs_at_once_each_ends_as_promised(
    mortals: Mortals, tmp_path: Path, runs: int, dates: str, is_new: bool
) -> None:
    kind = f"{runs} runs at once, {dates}, {'new' if is_new else 'old'} warehouse"
    for _ in range(ROUNDS):
        root = tmp_path / "race"
        root.mkdir()
        if not is_new:
            assert mortals.call(scenes.two_nights, str(root)).code == 0
        days = [str(number if dates == "several dates" else 0) for number in range(runs)]
        fates = mortals.call_at_once(scenes.night, [(str(root), day, day) for day in days], OVERLAPPING=str(runs))
        codes = sorted(fate.code for fate in fates)
        winners = runs if dates == "several dates" else 1
        before = 0 if is_new else 2
        try:
            assert codes == [0] * winners + [5] * (runs - winners), [fate.output for fate in fates if fate.code]
            assert mortals.call(scenes.night, str(root), "6", "6").code == 0
            found = json.loads(mortals.call(scenes.outcomes, str(root)).output)
            expected = ["published"] * (winners + 1 + before) + ["window_held"] * (runs - winners)
            assert found == expected, (found, [fate.output for fate in fates])
            end = mortals.call(scenes.check_end, str(root))
            assert end.code == 0, end.output
        except AssertionError as error:
            TALLY.add(kind, str(error))
            raise
        TALLY.add(kind, None)
        shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.skipif(EFFORT != "all", reason="five Sparks take a minute; make faults starts them")
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "old"])
@pytest.mark.parametrize("days", [[DAYS[0]] * 2, [DAYS[0]] * 5, list(DAYS)], ids=["two", "five", "two dates"])
def test_of_jobs_at_once_each_ends_as_promised(
    tweets: Path, yesterday: tuple[Path, float], tmp_path: Path, days: list[date], is_new: bool
) -> None:
    root = tmp_path / "race"
    if not is_new:
        shutil.copytree(yesterday[0], root)
    jobs = [Job(tweets, root, str(day)) for day in days]
    ended = [job.end() for job in jobs]
    kind = f"{len(days)} jobs at once, {len(set(days))} dates, {'new' if is_new else 'old'} warehouse"
    outputs = "".join(job.output for job in ended)
    try:
        codes = sorted(job.code for job in ended)
        # A job that began when another had published replaces its numbers, as any later run does.
        assert codes.count(0) >= len(set(days)), outputs
        assert set(codes) <= ({0, 5} if len(set(days)) < len(days) else {0}), outputs
        assert set(scenes.seen(str(root))) == {str(day) for day in (*days, *([] if is_new else DAYS[:1]))}
        scenes.check_nothing_of_a_night_is_left(str(root))
        runs = [row["outcome"] for row in list_runs(scenes.warehouse_of(str(root)))]
        assert runs.count("published") == codes.count(0) + (not is_new), outputs
        assert runs.count("window_held") == codes.count(5), outputs
    except AssertionError as error:
        TALLY.add(kind, str(error))
        raise
    TALLY.add(kind, None)
