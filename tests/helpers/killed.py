"""A process that is killed between two commits, without a process."""

from typing import Any

import pytest

from emotion_udf.tables import claims, publish
from emotion_udf.tables.releases import move_pointer


class Killed(BaseException):
    """The process is gone: nothing that the run would still do is done."""


def kill_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """Kill the run before its n-th commit, the pointer's included."""
    commit = claims.commit_claim
    calls = iter(range(1_000))

    def committed(*args: Any) -> None:
        if next(calls) == call:
            raise Killed
        commit(*args)

    def moved(*args: Any) -> None:
        if next(calls) == call:
            raise Killed
        move_pointer(*args)

    for module in (publish, claims):
        monkeypatch.setattr(module, "commit_claim", committed)
    monkeypatch.setattr(publish, "move_pointer", moved)
