"""Example messages of each emotion, drawn by chance, redacted."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import duckdb

from emotion_udf.dashboard.cube import quoted
from emotion_udf.dashboard.redact import redact
from emotion_udf.dashboard.trust import rows_of

_DAYS: Final = 28
_EACH: Final = 40


def read_examples(
    connection: duckdb.DuckDBPyConnection, dimensions: Sequence[str], first: date, last: date
) -> list[dict[str, Any]]:
    """Return confident messages of the last four weeks, the same ones for the same tables.

    Args:
        connection: Sees `emotion_labels` with its texts, and the `value_codes_<number>` of `build_cube`.
        dimensions: The page's dimensions; `by` has the codes of a message in their order.
        first: The first day to show.
        last: The last day to show.
    """
    codes = ", ".join(f"c{number}.code" for number in range(len(dimensions)))
    joins = " ".join(
        f"JOIN value_codes_{number} c{number} ON l.{quoted(name)} IS NOT DISTINCT FROM c{number}.value"
        for number, name in enumerate(dimensions)
    )
    found = connection.execute(
        f"""
        SELECT l.event_date - $first AS day, [{codes}] AS "by", l.emotion, l.confidence, l.text
        FROM emotion_labels l {joins}
        WHERE l.event_date BETWEEN greatest($first, $last - {_DAYS - 1}) AND $last
        AND l.is_confident AND l.text IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY l.emotion ORDER BY hash(l.text), l.event_date) <= {_EACH}
        ORDER BY l.emotion, hash(l.text), l.event_date
        """,  # noqa: S608
        {"first": first, "last": last},
    )
    return [row | {"text": redact(row["text"]), "confidence": round(row["confidence"], 3)} for row in rows_of(found)]
