"""The driver's part of nights and of maintenance, ended at each call that changes a file of the warehouse.

`make faults` takes every call, `make test-slow` some, and `make test` a few of one scene.
"""

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults import scenes
from tests.faults.conftest import EFFORT, TALLY
from tests.faults.mortal import Fate, Mortals


class Scene(NamedTuple):
    """Something that a driver does.

    Attributes:
        name: What it is.
        prepare: Makes what is there before, a function of `scenes`.
        act: What is done: a function of `scenes` and its arguments.
        steps: The days of each night that it publishes, as numbers.
    """

    name: str
    prepare: Callable[..., int]
    act: tuple[Callable[..., int], list[str]]
    steps: list[list[int]]


SCENES = [
    Scene("first night", scenes.nothing, (scenes.night, ["0", "1"]), [[0, 1]]),
    Scene("night", scenes.two_nights, (scenes.night, ["1", "3"]), [[1, 2, 3]]),
    Scene("start after a kill", scenes.killed_night, (scenes.night, ["3", "4"]), [[2, 3], [3, 4]]),
    Scene("night with checkpoints", scenes.nine_nights, (scenes.night, ["1", "1"]), [[1]]),
    Scene("rollback", scenes.two_nights, (scenes.maintain, ["rollback", "1"]), [[1]]),
    Scene("compact", scenes.nine_nights, (scenes.maintain, ["compact"]), []),
    Scene("vacuum", scenes.nine_nights, (scenes.maintain, ["vacuum"]), []),
    Scene("drop-scores", scenes.two_nights, (scenes.maintain, ["drop-scores"]), []),
    Scene("forget", scenes.asked_to_forget, (scenes.maintain, ["forget"]), []),
]

PLAYED = SCENES if EFFORT == "all" else SCENES[:3]

KILLS = ("before", "after", "half")
SAYS = {"full": "no space left", "readonly": "a read-only file system", "denied": "no permission"}
POWER_CUTS = ("empty", "cut", "zeros", "vanish")
STRIDE = dict.fromkeys(("readonly", "denied", "empty", "cut", "zeros", "vanish"), 6)
"""Of how many calls on a log one is taken, where a way to go wrong is much like another."""

LOG = "_delta_log"
SOME = 2

NEXT_NIGHT = (scenes.night, ["0", "0"])


class Stage:
    """A scene, ready to be played again and again.

    Args:
        mortals: Play it.
        scene: The scene.
        folder: Takes its warehouses.
    """

    def __init__(self, mortals: Mortals, scene: Scene, folder: Path) -> None:
        self.mortals = mortals
        self.scene = scene
        self.folder = folder
        self.before = folder / "before"
        self.before.mkdir()
        self.must(scene.prepare, self.before)
        self.shown = json.loads(self.must(scenes.print_seen, self.before).output)

    def must(self, function: Callable[..., int], root: Path, *arguments: str) -> Fate:
        fate = self.mortals.call(function, str(root), *arguments)
        assert fate.code == 0, fate.output
        return fate

    def act(self, root: Path, **kill: str) -> Fate:
        """Play the scene in a copy of what was there before."""
        shutil.copytree(self.before, root)
        function, arguments = self.scene.act
        return self.mortals.call(function, str(root), *arguments, **kill)

    def moments(self, way: str, root: Path) -> Iterator[dict[str, str]]:
        """Yield what `killpoint.c` has to be told: each call on a log, and some of the others."""
        when = "after" if way in POWER_CUTS else way
        for match in (LOG, f"{root}/w/") if EFFORT == "all" else (LOG,):
            calls = range(1, self.count_calls(when, root, match) + 1)
            some = (
                calls[:: STRIDE.get(way, 1)] if EFFORT == "all" and match == LOG else calls[:: -(-len(calls) // SOME)]
            )
            yield from ({"KILL_MATCH": match, "KILL_WHEN": when, "KILL_AT": str(at)} for at in some)

    def count_calls(self, when: str, root: Path, match: str) -> int:
        count = self.folder / "count"
        count.write_text("0")
        done = self.act(root, KILL_COUNT=str(count), KILL_WHEN=when, KILL_MATCH=match)
        assert done.code == 0, done.output
        shutil.rmtree(root)
        return int(count.read_text())

    def check(self, root: Path) -> None:
        """Check what readers see, run the next night, do the same again, and check what is there then."""
        steps = json.dumps(self.scene.steps)
        self.must(scenes.check, root, json.dumps(self.shown), steps)
        is_night = self.scene.act[0] is scenes.night
        for function, arguments in (self.scene.act,) if is_night else (NEXT_NIGHT, self.scene.act):
            self.must(function, root, *arguments)
        self.must(scenes.check_end, root)

    def play(self, kind: str, way: str, fail: Callable[[Path, dict[str, str]], None]) -> None:
        """Let a scene go wrong at each moment, and see that nothing is lost."""
        root = self.folder / "played"
        for moment in self.moments(way, root):
            try:
                fail(root, moment)
                self.check(root)
            except AssertionError as error:
                TALLY.add(f"{self.scene.name}, {kind}", f"{moment}: {error}")
                raise
            TALLY.add(f"{self.scene.name}, {kind}", None)
            shutil.rmtree(root)


def name_of(scene: Scene) -> str:
    return scene.name


@pytest.mark.slow
@pytest.mark.parametrize("way", KILLS)
@pytest.mark.parametrize("scene", PLAYED, ids=name_of)
def test_killed_at_a_call(mortals: Mortals, tmp_path: Path, scene: Scene, way: str) -> None:
    stage = Stage(mortals, scene, tmp_path)

    def kill(root: Path, moment: dict[str, str]) -> None:
        fate = stage.act(root, **moment)
        assert fate.code == -signal.SIGKILL, fate

    stage.play(f"killed {way} a call", way, kill)


@pytest.mark.slow
@pytest.mark.parametrize("way", SAYS if EFFORT == "all" else ["full"])
@pytest.mark.parametrize("scene", PLAYED, ids=name_of)
def test_refused_by_the_storage_from_a_call_on(mortals: Mortals, tmp_path: Path, scene: Scene, way: str) -> None:
    stage = Stage(mortals, scene, tmp_path)

    def refuse(root: Path, moment: dict[str, str]) -> None:
        fate = stage.act(root, **moment)
        assert fate.code in (0, 1), fate.output
        assert (f"found {SAYS[way]}" in fate.output) if fate.code else ("error: " not in fate.output), fate.output

    stage.play(f"storage {way}", way, refuse)


@pytest.mark.slow
@pytest.mark.parametrize("way", POWER_CUTS if EFFORT == "all" else ["zeros"])
@pytest.mark.parametrize("scene", PLAYED, ids=name_of)
def test_the_power_goes_after_a_call(mortals: Mortals, tmp_path: Path, scene: Scene, way: str) -> None:
    """What was not forced to the disk is empty, cut, full of zeros, or gone."""
    stage = Stage(mortals, scene, tmp_path)
    synced = tmp_path / "synced"

    def cut_power(root: Path, moment: dict[str, str]) -> None:
        synced.write_text("")
        since = time.time_ns()
        stage.act(root, **moment, KILL_SYNCED=str(synced))
        stage.must(scenes.cut_power, root, str(synced), str(since), way)
        stage.must(scenes.repair, root)  # until then the log of releases itself may be cut

    stage.play(f"power cut, {way}", way, cut_power)


def test_some_moments_of_publishing(mortals: Mortals, tmp_path: Path) -> None:
    """A few of those that the others take, for each run of the tests."""
    stage = Stage(mortals, SCENES[1], tmp_path)
    for number, way in enumerate(("before", "half", "after", "full")):
        root = tmp_path / f"killed-{way}"
        last = stage.count_calls(way, root, LOG)
        at = str(max(1, last * (number + 1) // 5))
        fate = stage.act(root, KILL_AT=at, KILL_WHEN=way, KILL_MATCH=LOG)
        assert fate.code == (1 if way == "full" else -signal.SIGKILL), fate
        stage.check(root)
