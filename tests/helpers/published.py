"""What nights publish: one that several tests begin with, and the tables of two that should be the same."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from emotion_udf.nightly.record import RunRecord
from tests.helpers.jobs import query


class Published(NamedTuple):
    """A folder that holds the input and the warehouse of a night, and the night's record."""

    folder: Path
    run: RunRecord

    def copy_to(self, folder: Path) -> "Published":
        """Copy input and warehouse; what a table lists is named relative to it."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return self._replace(folder=folder)


_NEAR = 0.01  # of a probability, where a CPU computes in 16 bits; below 1e-6 with AVX-512


@dataclass(frozen=True)
class Tables:
    """The rows of a night's tables in one order, without what is each run's own.

    Attributes:
        exact: Values that are the same in equal nights.
        near: Numbers that are the same but for the last digits: batches hold other texts on other machines.
    """

    exact: list[tuple[Any, ...]]
    near: list[float]

    def check_same(self, other: "Tables") -> None:
        """Check that another night has published the same."""
        assert self.exact == other.exact
        changes = [abs(mine - others) for mine, others in zip(self.near, other.near, strict=True)]
        assert max(changes) < _NEAR, f"expected changes below {_NEAR}, found {max(changes)}"


def tables_of(warehouse: Path) -> Tables:
    """Return the newest rows of a warehouse's labels, days and terms."""
    exact: list[tuple[Any, ...]] = []
    near: list[float] = []
    for table, key in (
        ("emotion_labels", "feedback_id"),
        ("emotion_daily", "event_date, emotion"),
        ("emotion_terms", "event_date, emotion, term"),
    ):
        for row in query(warehouse, f"SELECT * EXCLUDE (run_id) FROM {table} ORDER BY {key}"):  # noqa: S608
            exact.append((table, *(value for value in row if not isinstance(value, float))))
            near += [value for value in row if isinstance(value, float)]
    return Tables(exact, near)
