from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from emotion_udf.dashboard.cube import Cube, build_cube, quoted
from emotion_udf.emotions import EMOTIONS

FIRST = date(2026, 10, 5)
UNIT = 10_000


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def group(
    day: int, values: dict[str, str | None], counts: tuple[int, ...], **more: int | None
) -> list[dict[str, object]]:
    """Return the six rows of a day and combination of dimensions."""
    known: dict[str, int | None] = dict.fromkeys(
        ("truncated_count", "distinct_text_count", "foreign_count", "token_count", "unknown_token_count"), 1
    )
    return [
        {
            "event_date": FIRST + timedelta(day),
            **values,
            "emotion": emotion,
            "feedback_count": count,
            "low_confidence_count": count // 2,
            "mean_probability": count / sum(counts),
            "total_count": sum(counts),
            **(known | {"distinct_text_count": count} | more),
        }
        for emotion, count in zip(EMOTIONS, counts, strict=True)
    ]


def cube_of(
    connection: duckdb.DuckDBPyConnection,
    rows: list[dict[str, object]],
    names: list[str],
    days: int = 9,
    max_cells: int = 100,
) -> Cube:
    table = pa.Table.from_pylist(rows)
    connection.register("emotion_daily", table)
    return build_cube(connection, names, FIRST, FIRST + timedelta(days), max_cells, UNIT)


def rows_of(cube: Cube) -> list[dict[str, int]]:
    return [
        dict(zip(cube.columns, row, strict=True))
        for row in zip(*(v.tolist() for v in cube.columns.values()), strict=True)
    ]


def test_values_are_coded_by_their_messages_and_none_is_a_value(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [*group(0, {"p": None}, (1, 2, 3, 4, 5, 6)), *group(2, {"p": "mug"}, (9, 9, 9, 9, 9, 9))]

    found = cube_of(connection, rows, ["p"])

    assert found.dimensions[0].values == ["mug", None]
    assert found.columns["by_0"].tolist() == [0, 1]
    assert found.columns["day"].tolist() == [2, 0]
    small = rows_of(found)[1]
    assert [small[f"count_{number}"] for number in range(6)] == [1, 2, 3, 4, 5, 6]
    assert [small[f"low_{number}"] for number in range(6)] == [0, 1, 1, 2, 2, 3]
    assert small["probability_5"] == round(UNIT * 6 / 21)
    assert (small["tokens"], small["truncated"]) == (round(6 / 21) + 1, 6 + 1)  # one more, as what may be unknown


def test_what_earlier_versions_did_not_record_is_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [
        *group(0, {}, (4, 0, 0, 0, 0, 0), distinct_text_count=None, foreign_count=None),
        *group(1, {}, (4, 0, 0, 0, 0, 0), distinct_text_count=1),
    ]

    before, since = rows_of(cube_of(connection, rows, []))

    assert (before["copies_0"], before["foreign"], before["truncated"]) == (0, 0, 7)
    assert (since["copies_0"], since["foreign"]) == (4 - 1 + 1, 7)


def test_days_outside_of_the_page_are_left_out(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [row for day in range(-2, 5) for row in group(day, {}, (1, 1, 1, 1, 1, 1))]

    assert cube_of(connection, rows, [], days=2).columns["day"].tolist() == [0, 1, 2]


def test_small_values_become_others_where_all_would_be_too_many(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [row for p in range(40) for row in group(0, {"p": f"p{p:02}"}, (p, 0, 0, 0, 0, 1))]

    found = cube_of(connection, rows, ["p"], max_cells=39)

    assert found.dimensions[0].values == [f"p{p}" for p in range(39, 9, -1)]
    assert found.dimensions[0].others == 10
    assert found.columns["count_0"].sum() == sum(range(40))
    assert found.columns["by_0"].max() == 30


def test_a_dimension_goes_where_even_few_values_are_too_many(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [
        row for p in range(12) for q in range(12) for row in group(0, {"p": str(p), "q": str(q)}, (1, 0, 0, 0, 0, 0))
    ]

    found = cube_of(connection, rows, ["p", "q"], max_cells=20)

    assert [dimension.name for dimension in found.dimensions] == ["p"]
    assert found.left_out == ["q"]
    assert found.columns["count_0"].tolist() == [12] * 12


@pytest.mark.parametrize("name", ["__proto__", 'a"b', "select", "event", "x; DROP TABLE y", "value"])
def test_names_of_dimensions_are_only_names(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    found = cube_of(connection, group(0, {name: "a'b\"c"}, (1, 0, 0, 0, 0, 0)), [name])

    assert (found.dimensions[0].name, found.dimensions[0].values) == (name, ["a'b\"c"])
    assert quoted(name).startswith('"')


def test_no_messages_make_no_rows(connection: duckdb.DuckDBPyConnection) -> None:
    found = cube_of(connection, group(50, {"p": "x"}, (1, 0, 0, 0, 0, 0)), ["p"])

    assert {len(values) for values in found.columns.values()} == {0}
    assert np.asarray(found.columns["day"]).dtype == np.int64
