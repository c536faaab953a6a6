"""Small inputs for a night: messages, their files, and settings for them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emotion_udf.settings.nightly import InputSettings

DAY = date(2026, 10, 5)
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
MESSAGES = pa.schema(
    [
        ("id", pa.string()),
        ("author", pa.string()),
        ("text", pa.string()),
        ("created_at", pa.timestamp("us", tz="UTC")),
        ("source", pa.string()),
    ]
)

WriteMessages = Callable[..., Path]


def messages(rows: int = 2, **columns: pa.Array) -> pa.Table:
    """Good messages; `columns` replace or add to theirs."""
    good = {
        "id": pa.array([f"m{i}" for i in range(rows)], pa.string()),
        "text": pa.array(["i feel fine"] * rows, pa.string()),
        "created_at": pa.array([NOON] * rows, pa.timestamp("us", tz="UTC")),
    }
    return pa.table(good | columns)


def message(id_: str | None = "m1", text: str | None = "i feel fine", **other: Any) -> dict[str, Any]:
    """Make a message that is good but for what is said otherwise."""
    return {"id": id_, "author": "ann", "text": text, "created_at": NOON, "source": "tweet"} | other


def write_messages(file: Path, rows: list[dict[str, Any]], schema: pa.Schema = MESSAGES) -> Path:
    """Write messages as a Parquet file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
    return file


def input_settings(path: Path, **other: Any) -> InputSettings:
    """Settings for messages of `MESSAGES`."""
    return InputSettings(path=str(path), dimensions={"source": "source"}, **other)
