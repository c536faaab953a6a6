"""`emotion_terms` as the page ranks it: for the most used terms, the messages that use them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import duckdb
import numpy as np

from emotion_udf.dashboard.columns import Columns
from emotion_udf.dashboard.cube import quoted
from emotion_udf.emotions import EMOTIONS

_STEPS: Final = (1, 7, 28)
_MOST_TERMS: Final = (1_000, 500, 250)


@dataclass(frozen=True)
class Terms:
    """The page's terms.

    Attributes:
        terms: The most used terms, the most used first. A code is an index; the one after the last is for all others.
        dimensions: Numbers of the page's dimensions that the terms are counted by.
        step: Days of a row.
        columns: `step` (from 0 on), `by_<number>` of those dimensions, `emotion`, `term`, and `count`, the messages
            that use it.
    """

    terms: Sequence[str]
    dimensions: Sequence[int]
    step: int
    columns: Columns


def build_terms(
    connection: duckdb.DuckDBPyConnection,
    dimensions: Sequence[str],
    present: Sequence[str],
    first: date,
    last: date,
    max_rows: int,
) -> Terms:
    """Add `emotion_terms` up to what the page can hold.

    Args:
        connection: Sees `emotion_terms`, and the `value_codes_<number>` of `build_cube`.
        dimensions: The page's dimensions.
        present: The columns of `emotion_terms`.
        first: The first day to show.
        last: The last day to show.
        max_rows: The most rows, where they can be made so few.
    """
    shared = [number for number, name in enumerate(dimensions) if name in present]
    _code_terms(connection, dimensions, shared, first, last)
    for kept, step, most in _sizes(shared):
        keys = ", ".join(("emotion", *(f"by_{number}" for number in kept)))
        found = connection.execute(
            f"SELECT day // {step} AS step, {keys}, least(rank, {most}) AS term, sum(count) AS count FROM term_rows "  # noqa: S608
            f"GROUP BY day // {step}, {keys}, least(rank, {most}) ORDER BY term, {keys}, step"
        ).fetchnumpy()
        if len(found["term"]) <= max_rows:
            break
    terms = connection.execute(f"SELECT term FROM term_codes WHERE rank < {most} ORDER BY rank").fetchall()  # noqa: S608
    columns = {name: np.asarray(values).astype(np.int64) for name, values in found.items()}
    return Terms([row[0] for row in terms], kept, step, columns)


def _sizes(dimensions: Sequence[int]) -> Iterator[tuple[Sequence[int], int, int]]:
    """Yield what to try: dimensions, days of a row, and how many terms. Rare terms go first, dimensions last."""
    for kept in range(len(dimensions), -1, -1):
        for step in _STEPS:
            for most in _MOST_TERMS:
                yield dimensions[:kept], step, most


def _code_terms(
    connection: duckdb.DuckDBPyConnection, dimensions: Sequence[str], shared: Sequence[int], first: date, last: date
) -> None:
    """Make `term_codes`, the terms by their messages, and `term_rows`, all rows with codes for values."""
    window = {"first": first, "last": last}
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE term_codes AS SELECT term, "
        "row_number() OVER (ORDER BY sum(feedback_count) DESC, term) - 1 AS rank "
        "FROM emotion_terms WHERE event_date BETWEEN $first AND $last GROUP BY term",
        window,
    )
    codes = "".join(f", c{number}.code AS by_{number}" for number in shared)
    joins = " ".join(
        f"JOIN value_codes_{number} c{number} ON t.{quoted(dimensions[number])} IS NOT DISTINCT FROM c{number}.value"
        for number in shared
    )
    emotion = " ".join(f"WHEN '{name}' THEN {number}" for number, name in enumerate(EMOTIONS))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE term_rows AS SELECT t.event_date - $first AS day{codes}, "  # noqa: S608
        f"CASE emotion {emotion} END AS emotion, rank, sum(feedback_count) AS count "
        f"FROM emotion_terms t JOIN term_codes USING (term) {joins} "
        "WHERE t.event_date BETWEEN $first AND $last GROUP BY ALL",
        window,
    )
