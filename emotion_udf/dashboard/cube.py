"""`emotion_daily` as the page filters it: a row a day and combination of dimensions, one column a measure and emotion.

A page can hold so many rows and no more. So each dimension keeps its largest values, as many as fit, and the others
are added up under one code.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import duckdb
import numpy as np

from emotion_udf.dashboard.columns import Columns
from emotion_udf.emotions import EMOTIONS

_MOST_VALUES: Final = (200, 150, 100, 75, 50, 40, 30, 20, 10)
"""How many values a dimension keeps: the first of these that fits."""

UNKNOWN_UNIT: Final = 10_000
"""The share of unknown tokens travels in ten-thousandths."""

_BY_GROUP: Final = ("truncated_count", "foreign_count", "token_count", "unknown_token_count")


@dataclass(frozen=True)
class Dimension:
    """A dimension as the page offers it.

    Attributes:
        name: Its column.
        values: Its largest values, the largest first, None among them where messages have none. A code is an index.
        others: How many values are added up under the code after the last one; 0 where all are kept.
    """

    name: str
    values: Sequence[str | None]
    others: int


@dataclass(frozen=True)
class Cube:
    """The page's rows.

    Attributes:
        first: The day of code 0.
        last: The last day.
        dimensions: The dimensions.
        left_out: Dimensions that do not fit into the page; their values are added up.
        columns: `day`, `by_0`, `by_1`, … (codes of the dimensions), and the measures. Columns of one emotion end in
            its number: `count_0`, `low_0`, `probability_0`, `copies_0`. Those of a whole cell are `truncated`,
            `foreign`, `tokens` (of a message, on average) and `unknown` (tokens). Of these and of `copies_…` 0 means
            unknown, and all values are one more.
    """

    first: date
    last: date
    dimensions: Sequence[Dimension]
    left_out: Sequence[str]
    columns: Columns


def quoted(name: str) -> str:
    """Return a name as SQL writes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def build_cube(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], first: date, last: date, max_cells: int, unit: int
) -> Cube:
    """Add `emotion_daily` up to what the page can hold.

    Leaves the table `value_codes_<i>` (value, code) for each dimension in the connection, by which other tables are
    coded alike.

    Args:
        connection: Sees `emotion_daily`.
        names: The dimensions of the table.
        first: The first day to show.
        last: The last day to show.
        max_cells: The most rows.
        unit: What mean probabilities are counted in: ten-thousandths are exact to a hundredth of a point.
    """
    _make_groups(connection, names, first, last)
    kept, most = _fitting(connection, names, max_cells)
    dimensions = [_code_values(connection, index, name, most) for index, name in enumerate(kept)]
    return Cube(first, last, dimensions, names[len(kept) :], _read_columns(connection, len(kept), first, unit))


def _make_groups(connection: duckdb.DuckDBPyConnection, names: Sequence[str], first: date, last: date) -> None:
    """Make `groups`, a row a day and combination of dimensions, and `ranks_<i>`, the values by their messages."""
    measures = [
        measure
        for number, emotion in enumerate(EMOTIONS)
        for measure in (
            f"coalesce(sum(feedback_count) FILTER (emotion = '{emotion}'), 0) AS count_{number}",
            f"coalesce(sum(low_confidence_count) FILTER (emotion = '{emotion}'), 0) AS low_{number}",
            f"coalesce(sum(mean_probability * total_count) FILTER (emotion = '{emotion}'), 0) AS mass_{number}",
            f"coalesce(sum(feedback_count - distinct_text_count) FILTER (emotion = '{emotion}'), 0) AS copies_{number}",
        )
    ]
    # A measure is known where every row has it; rows of earlier versions have none.
    known = [f"CASE WHEN count({name}) = count(*) THEN sum({name}) END AS {name}" for name in _BY_GROUP]
    known.append("count(distinct_text_count) = count(*) AS copies_known")
    keys = [f"{quoted(name)} AS value_{index}" for index, name in enumerate(names)]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE groups AS SELECT event_date, {', '.join((*keys, *measures, *known))} "  # noqa: S608
        f"FROM emotion_daily WHERE event_date BETWEEN $first AND $last "
        f"GROUP BY event_date{''.join(f', {quoted(name)}' for name in names)}",
        {"first": first, "last": last},
    )
    total = " + ".join(f"count_{number}" for number in range(len(EMOTIONS)))
    for index in range(len(names)):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE ranks_{index} AS SELECT value_{index} AS value, row_number() OVER "  # noqa: S608
            f"(ORDER BY sum({total}) DESC, value_{index} NULLS LAST) - 1 AS rank FROM groups GROUP BY value_{index}"
        )


def _fitting(connection: duckdb.DuckDBPyConnection, names: Sequence[str], max_cells: int) -> tuple[Sequence[str], int]:
    """Return the dimensions to keep and how many values of each: the most that the page can hold."""
    for kept in range(len(names), 0, -1):
        for most in _MOST_VALUES:
            codes = "".join(f", least(r{index}.rank, {most})" for index in range(kept))
            (cells,) = _one(
                connection.execute(
                    f"SELECT count(*) FROM (SELECT DISTINCT event_date{codes} FROM groups {_joins(kept, 'ranks', 'r')})"  # noqa: S608
                )
            )
            if cells <= max_cells:
                return names[:kept], most
    return [], 0


def _code_values(connection: duckdb.DuckDBPyConnection, index: int, name: str, most: int) -> Dimension:
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE value_codes_{index} AS "  # noqa: S608
        f"SELECT value, least(rank, {most}) AS code FROM ranks_{index}"
    )
    rows = connection.execute(f"SELECT value FROM ranks_{index} ORDER BY rank").fetchall()  # noqa: S608
    values = [row[0] for row in rows]
    return Dimension(name, values[:most], max(0, len(values) - most))


def _read_columns(connection: duckdb.DuckDBPyConnection, dimensions: int, first: date, unit: int) -> Columns:
    total = " + ".join(f"sum(count_{number})" for number in range(len(EMOTIONS)))
    codes = [f"c{index}.code AS by_{index}" for index in range(dimensions)]
    selected = ["event_date - $first AS day", *codes, *_measures(total, unit)]
    order = [*(f"by_{index}" for index in range(dimensions)), "day"]
    found = connection.execute(
        f"SELECT {', '.join(selected)} FROM groups {_joins(dimensions, 'value_codes', 'c')} "  # noqa: S608
        f"GROUP BY {', '.join(order)} ORDER BY {', '.join(order)}",
        {"first": first},
    ).fetchnumpy()
    return {name: np.asarray(values).astype(np.int64) for name, values in found.items()}


def _measures(total: str, unit: int) -> Iterator[str]:
    numbers = range(len(EMOTIONS))
    yield from (f"sum(count_{number}) AS count_{number}" for number in numbers)
    yield from (f"sum(low_{number}) AS low_{number}" for number in numbers)
    for number in numbers:
        mean = f"sum(mass_{number}) / nullif({total}, 0)"
        yield f"coalesce(round({unit} * {mean}), 0) AS probability_{number}"
    for number in numbers:
        yield f"CASE WHEN bool_and(copies_known) THEN sum(copies_{number}) + 1 ELSE 0 END AS copies_{number}"
    known = {name: f"CASE WHEN count({name}) = count(*) THEN sum({name}) END" for name in _BY_GROUP}
    yield f"coalesce({known['truncated_count']} + 1, 0) AS truncated"
    yield f'coalesce({known["foreign_count"]} + 1, 0) AS "foreign"'
    tokens = known["token_count"]
    yield f"coalesce(round({tokens} / nullif({total}, 0)) + 1, 0) AS tokens"
    unknown = known["unknown_token_count"]
    yield f"coalesce(round({UNKNOWN_UNIT} * {unknown} / nullif({tokens}, 0)) + 1, 0) AS unknown"


def _joins(dimensions: int, tables: str, alias: str) -> str:
    return " ".join(
        f"JOIN {tables}_{index} {alias}{index} ON groups.value_{index} IS NOT DISTINCT FROM {alias}{index}.value"
        for index in range(dimensions)
    )


def _one(found: duckdb.DuckDBPyConnection) -> tuple[Any, ...]:
    row = found.fetchone()
    if row is None:  # an aggregate without groups has exactly one row
        raise AssertionError("expected one row, found none")
    return tuple(row)
