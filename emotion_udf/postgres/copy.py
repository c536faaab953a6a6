"""A release -> its copy in PostgreSQL, in one transaction: readers see the release before, or this one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from deltalake.schema import PrimitiveType
from psycopg import sql

from emotion_udf.errors import InputError
from emotion_udf.postgres.rows import copy_daily, dates_in, insert_runs, names_of
from emotion_udf.postgres.session import Session, open_transaction
from emotion_udf.postgres.state import dates_there, release_there, write_release
from emotion_udf.postgres.tables import Kinds, columns_there, defined, find_missing, wanted_columns
from emotion_udf.schemas import DAILY, RELEASES, RUNS, daily_schema
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.readers import ReadersView, open_for_readers

_STAGING: Final = sql.Identifier("pg_temp", "emotion_daily_staged")


@dataclass(frozen=True)
class Copied:
    """What a copy has changed.

    Attributes:
        release: The release of the warehouse.
        there: The release that the database held before, 0 for none.
        days: The dates of `emotion_daily` that were replaced; None where the release was there already, or a newer one.
        rows: Their rows.
        runs: The runs that were added to `runs`.
    """

    release: int
    there: int
    days: int | None = None
    rows: int = 0
    runs: int = 0

    def __str__(self) -> str:
        runs = f"{_count(self.runs, 'run')} added"
        if self.there > self.release:
            return f"Release {self.there} is in PostgreSQL, newer than {self.release}: nothing is changed"
        if self.days is None:
            return f"Release {self.release} is in PostgreSQL already: {runs if self.runs else 'nothing is changed'}"
        replaced = f"{_count(self.days, 'date')} replaced ({_count(self.rows, 'row')})"
        return f"Release {self.release} is in PostgreSQL: {replaced}, {runs}"


def copy_release(root: str, settings: PostgresSettings, anew: bool = False) -> Copied:
    """Copy `emotion_daily`, `runs` and `releases` of the newest release.

    Dates are replaced where they show another run, or other numbers of rows or messages, than in the release. Runs that
    are missing are added also where the release is there already: one that failed has no release.

    Args:
        root: The warehouse's root, a path or a URI.
        settings: The database.
        anew: Replace every date, also of a release that is there.

    Raises:
        UsageError: There is no release, or the database refuses until a person has seen to it.
        InputError: Files of the release are gone.
        StorageError: The database does not answer, or is at a limit.
    """
    view = open_for_readers(open_folder(root))
    view.require_files([DAILY])
    with open_transaction(settings) as session:
        return _copy(session, view, anew)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _copy(session: Session, view: ReadersView, anew: bool) -> Copied:
    number = view.release.number
    warehouse_id = str(view.tables[RELEASES].metadata().id)
    present = columns_there(session)
    there = release_there(session, warehouse_id) if RELEASES in present else 0
    if there > number:
        return Copied(number, there)
    columns = wanted_columns(_dimensions(view))
    missing = find_missing(session, columns, present)
    days, rows = None, 0
    if there < number or missing.tables or anew:
        staged = _stage(session, view, columns[DAILY], whole=anew or DAILY in missing.tables)
        for statement in missing.statements:
            session.run(statement)
        _replace(session, staged, columns[DAILY])
        if anew or RUNS in missing.tables:
            _delete(session, RUNS)
        write_release(session, view.release, warehouse_id)
        days, rows = len(staged.days), staged.rows
    runs = view.tables.get(RUNS)
    added = insert_runs(session, runs.to_pyarrow_dataset(), columns[RUNS], session.name(RUNS)) if runs else 0
    return Copied(number, there, days, rows, added)


@dataclass(frozen=True)
class _Staged:
    """The dates that are replaced, whose rows are in the staging table.

    Attributes:
        days: The dates.
        rows: Their rows.
        whole: Whether all rows that are there go.
    """

    days: Sequence[date]
    rows: int
    whole: bool


def _stage(session: Session, view: ReadersView, columns: Kinds, whole: bool) -> _Staged:
    """Copy the dates that differ into a table of this transaction's own.

    This is the long part, and nobody waits for it: what makes others wait, a new column and the rows that go, comes
    after it.
    """
    daily = view.tables[DAILY].to_pyarrow_dataset()
    wanted = dates_in(daily)
    shown = {} if whole else dates_there(session)
    days = sorted(day for day in {*wanted, *shown} if wanted.get(day) != shown.get(day))
    session.run(sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(_STAGING, defined(columns)))
    rows = copy_daily(session, daily, columns, _STAGING, days)
    expected = sum(wanted[day].rows for day in days if day in wanted)
    if rows != expected:
        raise InputError(
            f"expected {expected:,} rows of {DAILY} to copy, found {rows:,}; run again, and if it stays so, see that "
            "nothing but the nightly job writes to the warehouse"
        )
    return _Staged(days, rows, whole)


def _replace(session: Session, staged: _Staged, columns: Kinds) -> None:
    _delete(session, DAILY, None if staged.whole else staged.days)
    names = names_of(columns)
    insert = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {}")
    session.run(insert.format(session.name(DAILY), names, names, _STAGING))
    session.run(sql.SQL("ANALYZE {}").format(session.name(DAILY)))


def _delete(session: Session, table: str, days: Sequence[date] | None = None) -> None:
    """Delete the rows of some dates, or all. No TRUNCATE, which would show an older snapshot an empty table."""
    if days is None:
        session.run(sql.SQL("DELETE FROM {}").format(session.name(table)))
    else:
        session.run(sql.SQL("DELETE FROM {} WHERE event_date = ANY(%s)").format(session.name(table)), [list(days)])


def _dimensions(view: ReadersView) -> list[str]:
    """Return the dimensions of the release: the texts of `emotion_daily` that this version does not name."""
    own = {field.name for field in daily_schema([])}
    fields = view.tables[DAILY].schema().fields
    return [field.name for field in fields if field.name not in own and field.type == PrimitiveType("string")]
