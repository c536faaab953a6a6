"""The warehouse as the nightly job knows it; `delta_warehouse` is the one that comes with the package."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from emotion_udf.storage import Folder


@dataclass(frozen=True)
class Commit:
    """The share of one run in one table: who publishes, and which dates.

    Attributes:
        run_id: The run.
        dates: The days that the commit replaces, whether or not they have rows.
    """

    run_id: str
    dates: Sequence[date]

    @property
    def days(self) -> list[str]:
        """The dates as `YYYY-MM-DD`."""
        return [day.isoformat() for day in self.dates]


@dataclass(frozen=True)
class Release:
    """One consistent state of all tables, which readers see.

    Attributes:
        number: From 1, one more with each release.
        run_id: The run whose night it brought.
        released_at: The moment of publishing, in UTC.
        versions: The version of every table that belongs to it.
    """

    number: int
    run_id: str
    released_at: datetime
    versions: Mapping[str, int]


class Warehouse(Protocol):
    """The tables that a night reads from and publishes to."""

    def version(self, table: str) -> int:
        """Return a number that grows with each commit to the table, -1 when there is no such table yet."""

    def data_folder(self, table: str, run_id: str) -> Folder:
        """Return where a run writes the Parquet files that it wants published in a table."""

    def release(self) -> Release | None:
        """Return the newest release, None before the first."""

    def repair(self) -> Release | None:
        """Finish what a run that was killed while it published has left, and return the newest release."""

    def publish(self, tables: Mapping[str, StructType], commit: Commit, since: int) -> Release:
        """Replace the commit's dates, in all tables at once, by what the run has written to its data folders.

        Args:
            tables: The tables with their columns. The first decides who holds the dates. A table is made when there
                is none, and columns that it lacks are added.
            commit: The run and its dates.
            since: The version of the first table that the run found when it began.

        Raises:
            WindowHeldError: Another run has published one of the dates after `since`.
            UsageError: A table that is there has a column of another type.
            GateError: A file holds rows of a date that is not the commit's.
        """

    def discard(self, run_id: str) -> bool:
        """Delete what a run has written to its data folders, as far as no table needs it or will.

        Returns:
            Whether nothing of its night is left; False where it holds dates, which `repair` may still have to finish.
        """

    def known_scores(self, spark: SparkSession, fingerprint: str) -> DataFrame | None:
        """Return the scores, of `known_schema()`, that earlier runs have of a model; None when there are none."""

    def remember_scores(self, run_id: str, fingerprint: str) -> bool:
        """Add what a run has written for `text_scores`; False when other writers kept it from that.

        Raises:
            UsageError: The table has a column of another type.
        """

    def recorded_runs(self) -> set[str]:
        """Return the names of the runs that `runs` has."""

    def append_run(self, row: Mapping[str, Any]) -> None:
        """Add a row of `runs_schema()` to `runs`."""

    def released(self, table: str, dates: Sequence[date], columns: Sequence[str]) -> pa.Table | None:
        """Return the rows of some dates, with their `event_date`, as the newest release has them.

        A column that the table does not have yet is null. None before the first release that has the table.
        """

    def published_dates(self, dates: Sequence[date]) -> list[date]:
        """Return those of the dates that the newest release shows, also where they have no rows."""

    def released_runs(self, columns: Sequence[str]) -> Mapping[date, Mapping[str, Any]]:
        """Return, for the dates of the newest release, some columns of `runs` of the runs that they show."""

    def upkeep(self) -> None:
        """Do what is due so that the next nights are as fast as this one; a failure is a warning."""

    def address(self, table: str) -> str:
        """Return where a person finds the table."""


def with_nulls(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Add those of some columns that rows of an earlier version lack, as nulls."""
    for name in columns:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(rows.num_rows))
    return rows
