from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pyarrow as pa
import pytest

from emotion_udf.dashboard.examples import read_examples

FIRST = date(2026, 9, 1)
LAST = FIRST + timedelta(59)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("CREATE TABLE value_codes_0 AS SELECT * FROM (VALUES ('mug', 0), (NULL, 1)) AS v(value, code)")
        yield opened


def message(
    text: str | None, day: int = 59, emotion: str = "joy", sure: bool = True, p: str | None = "mug"
) -> dict[str, object]:
    day_of = FIRST + timedelta(day)
    return {"event_date": day_of, "p": p, "emotion": emotion, "confidence": 0.9, "is_confident": sure, "text": text}


def test_examples_are_confident_recent_and_masked(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [
        message("call 123", day=40, p=None),
        message("old", day=20),
        message("doubtful", sure=False),
        message(None),
    ]
    connection.register("emotion_labels", pa.Table.from_pylist(rows))

    assert read_examples(connection, ["p"], FIRST, LAST) == [
        {"day": 40, "by": [1], "emotion": "joy", "confidence": 0.9, "text": "call ###"}
    ]


def test_examples_of_each_emotion_are_few_and_always_the_same(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [message(f"text {'x' * n}", emotion=emotion) for n in range(90) for emotion in ("joy", "fear")]
    connection.register("emotion_labels", pa.Table.from_pylist(rows))

    found = read_examples(connection, [], FIRST, LAST)

    assert [sum(row["emotion"] == emotion for row in found) for emotion in ("joy", "fear")] == [40, 40]
    assert found == read_examples(connection, [], FIRST, LAST)
