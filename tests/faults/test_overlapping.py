"""Runs that work at the same time, on one date or on several, in a warehouse that is there or is new."""

import json
import shutil
from pathlib import Path

import pytest

from tests.faults import scenes
from tests.faults.conftest import EFFORT, TALLY
from tests.faults.mortal import Mortals

ROUNDS = 25 if EFFORT == "all" else 2


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
            shutil.rmtree(root / "begun")
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
