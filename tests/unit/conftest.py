"""Input files for the steps, and settings without a file."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_udf.settings import InputSettings, NightSettings, WarehouseSettings
from emotion_udf.window import Window

DAY = date(2026, 10, 5)
NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)

WriteMessages = Callable[..., Path]


def messages(rows: int = 2, **columns: pa.Array) -> pa.Table:
    """Good messages; `columns` replace or add to theirs."""
    good = {
        "id": pa.array([f"m{i}" for i in range(rows)], pa.string()),
        "text": pa.array(["i feel fine"] * rows, pa.string()),
        "created_at": pa.array([NOON] * rows, pa.timestamp("us", tz="UTC")),
    }
    return pa.table(good | columns)


@pytest.fixture
def write(tmp_path: Path) -> WriteMessages:
    """Write messages to a file below `tmp_path / "input"`."""

    def write_file(name: str, table: pa.Table | None = None, **options: Any) -> Path:
        file = tmp_path / "input" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(messages() if table is None else table, file, **options)
        return file

    return write_file


@pytest.fixture
def day() -> Window:
    return Window(DAY, DAY)


@pytest.fixture
def night(tmp_path: Path) -> NightSettings:
    """Settings for a night over `tmp_path`."""
    return NightSettings(
        input=InputSettings(path=str(tmp_path / "input")), warehouse=WarehouseSettings(root=str(tmp_path / "warehouse"))
    )
