from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pyarrow as pa
import pytest

from emotion_udf.dashboard import terms as terms_module
from emotion_udf.dashboard.terms import Terms, build_terms

FIRST = date(2026, 10, 5)
Row = tuple[int, str | None, str, str, int]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("CREATE TABLE value_codes_0 AS SELECT * FROM (VALUES ('mug', 0), (NULL, 1)) AS v(value, code)")
        yield opened


def terms_of(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], present: tuple[str, ...] = ("p",), max_rows: int = 100
) -> Terms:
    names = ("day", "p", "emotion", "term", "feedback_count")
    made = [dict(zip(names, row, strict=True)) for row in rows]
    table = [row | {"event_date": FIRST + timedelta(int(str(row["day"])))} for row in made]
    connection.register("emotion_terms", pa.Table.from_pylist(table))
    return build_terms(connection, ["p"], present, FIRST, FIRST + timedelta(99), max_rows)


def test_terms_are_coded_by_their_messages(connection: duckdb.DuckDBPyConnection) -> None:
    rows: list[Row] = [(0, "mug", "joy", "rare", 5), (1, None, "anger", "often", 6), (1, "mug", "anger", "often", 7)]

    found = terms_of(connection, rows)

    assert found.terms == ["often", "rare"]
    assert (found.dimensions, found.step) == ([0], 1)
    assert {name: values.tolist() for name, values in found.columns.items()} == {
        "step": [1, 1, 0],
        "emotion": [3, 3, 1],
        "by_0": [0, 1, 0],
        "term": [0, 0, 1],
        "count": [7, 6, 5],
    }


def test_a_dimension_that_the_terms_lack_is_left_out(connection: duckdb.DuckDBPyConnection) -> None:
    found = terms_of(connection, [(0, "mug", "joy", "a", 5), (0, None, "joy", "a", 6)], present=())

    assert found.dimensions == []
    assert found.columns["count"].tolist() == [11]


def test_many_rows_become_weeks_before_a_dimension_goes(connection: duckdb.DuckDBPyConnection) -> None:
    rows: list[Row] = [(day, p, "joy", "a", 1) for day in range(40) for p in ("mug", None)]

    found = terms_of(connection, rows, max_rows=12)

    assert (found.dimensions, found.step) == ([0], 7)
    assert found.columns["count"].sum() == 80


def test_rare_terms_are_added_up(connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms_module, "_MOST_TERMS", (2,))

    found = terms_of(connection, [(0, "mug", "joy", term, 9 - number) for number, term in enumerate("abcd")])

    assert found.terms == ["a", "b"]
    assert found.columns["term"].tolist() == [0, 1, 2]
    assert found.columns["count"].tolist() == [9, 8, 7 + 6]
