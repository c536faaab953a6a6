"""The driver's part of nights and of maintenance, ended at each call that changes a file of the warehouse.

`make faults` takes every call, `make test-slow` some, and `make test` a few of one scene.
"""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults import scenes
from tests.faults.conftest import TALLY, moments
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

KILLS = ("before", "after", "half")
REFUSALS = ("full", "readonly", "denied")
SAYS = {"full": "no space left", "readonly": "a read-only file system", "denied": "no permission"}
POWER_CUTS = ("empty", "cut", "zeros", "vanish")

AFTERWARDS = (scenes.night, ["0", "0"])


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
        return self.mortals.call(function, str(root), *arguments, **{"KILL_MATCH": f"{root}/w"} | kill)

    def count_calls(self, way: str, **kill: str) -> int:
        count = self.folder / f"count-{way}"
        done = self.act(self.folder / f"counted-{way}", KILL_COUNT=str(count), KILL_WHEN=way, **kill)
        assert done.code == 0, done.output
        return int(count.read_text())

    def check(self, root: Path) -> None:
        """Check what readers see, do the same again and one night more, and check what is there then."""
        steps = json.dumps(self.scene.steps)
        self.must(scenes.check, root, json.dumps(self.shown), steps)
        for function, arguments in (AFTERWARDS, self.scene.act):
            self.must(function, root, *arguments)
        self.must(scenes.check_end, root)


def name_of(scene: Scene) -> str:
    return scene.name


@pytest.mark.slow
@pytest.mark.parametrize("way", KILLS)
@pytest.mark.parametrize("scene", SCENES, ids=name_of)
def test_killed_at_a_call(mortals: Mortals, tmp_path: Path, scene: Scene, way: str) -> None:
    stage = Stage(mortals, scene, tmp_path)
    for at in moments(stage.count_calls(way)):
        root = tmp_path / "killed"
        fate = stage.act(root, KILL_AT=str(at), KILL_WHEN=way)
        try:
            assert fate.code == -9, fate
            stage.check(root)
        except AssertionError as error:
            TALLY.add(f"{scene.name}, killed {way} a call", f"at {at}: {error}")
            raise
        TALLY.add(f"{scene.name}, killed {way} a call", None)
        shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.parametrize("way", REFUSALS)
@pytest.mark.parametrize("scene", SCENES, ids=name_of)
def test_refused_by_the_storage_from_a_call_on(mortals: Mortals, tmp_path: Path, scene: Scene, way: str) -> None:
    stage = Stage(mortals, scene, tmp_path)
    for at in moments(stage.count_calls(way)):
        root = tmp_path / "refused"
        fate = stage.act(root, KILL_AT=str(at), KILL_WHEN=way)
        try:
            assert fate.code in (0, 1), fate.output
            assert (fate.code == 0) == ("error: " not in fate.output), fate.output
            assert fate.code == 0 or f"found {SAYS[way]}" in fate.output, fate.output
            stage.check(root)
        except AssertionError as error:
            TALLY.add(f"{scene.name}, storage {way}", f"at {at}: {error}")
            raise
        TALLY.add(f"{scene.name}, storage {way}", None)
        shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.parametrize("way", POWER_CUTS)
@pytest.mark.parametrize("scene", SCENES, ids=name_of)
def test_the_power_goes_after_a_call(mortals: Mortals, tmp_path: Path, scene: Scene, way: str) -> None:
    """What was not forced to the disk is empty, cut, full of zeros, or gone."""
    stage = Stage(mortals, scene, tmp_path)
    for at in moments(stage.count_calls("after")):
        root = tmp_path / "cut"
        synced = tmp_path / "synced"
        since = time.time_ns()
        stage.act(root, KILL_AT=str(at), KILL_WHEN="after", KILL_SYNCED=str(synced))
        try:
            stage.must(scenes.cut_power, root, str(synced), str(since), way)
            stage.check(root)
        except AssertionError as error:
            TALLY.add(f"{scene.name}, power cut, {way}", f"at {at}: {error}")
            raise
        TALLY.add(f"{scene.name}, power cut, {way}", None)
        shutil.rmtree(root)
        synced.unlink(missing_ok=True)


def test_some_moments_of_publishing(mortals: Mortals, tmp_path: Path) -> None:
    """A few of those that the others take, for each run of the tests."""
    stage = Stage(mortals, SCENES[1], tmp_path)
    log = {"KILL_MATCH": "_delta_log"}
    last = stage.count_calls("before", **log)
    for number, way in enumerate(("before", "half", "after", "full")):
        root = tmp_path / way
        fate = stage.act(root, KILL_AT=str(max(1, last * (number + 2) // 8)), KILL_WHEN=way, **log)
        assert fate.code == (1 if way == "full" else -9), fate
        stage.check(root)
