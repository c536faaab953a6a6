"""Rows of Delta tables on their way into PostgreSQL."""

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from psycopg import sql

from emotion_udf.postgres.session import Session
from emotion_udf.postgres.state import DateShown
from emotion_udf.postgres.tables import Kinds
from emotion_udf.schemas import PARTITION

_NUL: Final = "\0"
_REPLACEMENT: Final = "\ufffd"
"""Stands for the one character that no text of PostgreSQL's can have."""


def dates_in(daily: ds.Dataset) -> dict[date, DateShown]:
    """Return what the release's `emotion_daily` has of each date; batch by batch, for the table can be large."""
    totals: dict[date, list[tuple[str, str, int, int]]] = defaultdict(list)
    figures = [("run_id", "min"), ("run_id", "max"), ("run_id", "count"), ("feedback_count", "sum")]
    for batch in daily.to_batches(columns=[PARTITION, "run_id", "feedback_count"]):
        found = pa.Table.from_batches([batch]).group_by(PARTITION).aggregate(figures)
        names = (PARTITION, *("_".join(figure) for figure in figures))
        for day, *of_batch in zip(*(found[name].to_pylist() for name in names), strict=True):
            totals[day].append(tuple(of_batch))
    return {day: _added_up(parts) for day, parts in totals.items()}


def copy_daily(
    session: Session, daily: ds.Dataset, columns: Kinds, target: sql.Composable, days: Collection[date]
) -> int:
    """Send the rows of some dates by COPY, in its binary form, and return their number.

    Args:
        session: The transaction.
        daily: The release's `emotion_daily`. A column that it does not have is null.
        columns: The columns of the target, with their types.
        target: The table to copy into.
        days: The dates.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(target, names_of(columns))
    count = 0
    with session.limited(), session.connection.cursor().copy(statement) as copy:
        copy.set_types(list(columns.values()))
        for row in _rows(daily, list(columns), ds.field(PARTITION).isin(list(days))):
            copy.write_row(row)
            count += 1
    return count


def insert_runs(session: Session, runs: ds.Dataset, columns: Kinds, target: sql.Composable) -> int:
    """Add the runs that the table lacks, and return their number."""
    there = [run_id for (run_id,) in session.ask(sql.SQL("SELECT run_id FROM {}").format(target))]
    is_new = ~ds.field("run_id").isin(pa.array(there, pa.string()))
    values = sql.SQL(", ").join([sql.Placeholder()] * len(columns))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(target, names_of(columns), values)
    return session.run_each(statement, (_as_kinds(row, columns) for row in _rows(runs, list(columns), is_new)))


def names_of(columns: Kinds) -> sql.Composed:
    """Return the names of columns as a statement lists them."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _rows(table: ds.Dataset, columns: list[str], wanted: ds.Expression) -> Iterator[tuple[Any, ...]]:
    present = [name for name in columns if name in table.schema.names]
    for batch in table.to_batches(columns=present, filter=wanted):
        by_name = {name: _storable(batch.column(name)).to_pylist(maps_as_pydicts="strict") for name in present}
        missing = [None] * batch.num_rows
        yield from zip(*(by_name.get(name, missing) for name in columns), strict=True)


def _storable(values: pa.Array) -> pa.Array:
    return pc.replace_substring(values, _NUL, _REPLACEMENT) if pa.types.is_string(values.type) else values


def _as_kinds(row: Sequence[Any], columns: Kinds) -> list[Any]:
    """Return a row of `runs` as PostgreSQL takes it."""
    values = map(_plain, row)
    return [
        json.dumps(value) if kind == "jsonb" and value is not None else value
        for value, kind in zip(values, columns.values(), strict=True)
    ]


def _plain(value: Any) -> Any:
    """Return a value without NUL; a number that JSON cannot write by its name, which `::float8` reads."""
    if isinstance(value, str):
        return value.replace(_NUL, _REPLACEMENT)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {_plain(name): _plain(part) for name, part in value.items()}
    return value


def _added_up(parts: list[tuple[str, str, int, int]]) -> DateShown:
    firsts, lasts, rows, messages = zip(*parts, strict=True)
    return DateShown(min(firsts), max(lasts), sum(rows), sum(messages))
