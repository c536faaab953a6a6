"""The way of an input to its checked rows, with any files beside a good one: none fails the night, counts reconcile."""

import shutil
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.errors import InputError
from emotion_udf.ingest.attempts import write_window
from emotion_udf.ingest.inventory import take_inventory
from emotion_udf.schemas import Reason
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.steps.validate import validate
from emotion_udf.storage import open_folder
from emotion_udf.window import Window
from tests.fuzz.conftest import PROFILE
from tests.fuzz.inputs import DAY, WrittenFile, changes, spoil, written_files
from tests.helpers.messages import messages

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati"])


def fresh(folder: Path) -> Path:
    """Return an empty folder; hypothesis gives all examples of a test the same one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def with_good_file(folder: Path) -> Path:
    """Return the folder with one file that has nothing wrong, its times in the same day of all `ZONES`."""
    times = pa.array([datetime(2026, 10, 5, 5)] * 2, pa.timestamp("us", "UTC"))
    good = messages(2, id=pa.array(["good 1", "good 2"]), created_at=times)
    pq.write_table(good, fresh(folder) / "good.parquet")
    return folder


def of(root: Path) -> InputSettings:
    return InputSettings(path=str(root), dimensions={"source": "source"}, max_text_chars=50)


def checked_rows(spark: SparkSession, root: Path, window: Window) -> tuple[Any, list[Any]]:
    """Read and validate an input."""
    kept: list[Any] = []

    def write(rows: DataFrame) -> int:
        kept[:] = validate(rows, of(root)).collect()
        return len(kept)

    inventory, count = write_window(spark, of(root), window, write, kept.clear)
    assert count == len(kept)
    return inventory, kept


def check(inventory: Any, rows: list[Any], files: list[WrittenFile], window: Window) -> None:
    accepted = [row for row in rows if not row.reasons]
    assert {"good 1", "good 2"} <= {row.feedback_id for row in accepted}
    assert len({(row.event_date, row.feedback_id) for row in accepted}) == len(accepted)
    assert all(row.text and row.created_at and row.raw is None for row in accepted)
    assert all(row.raw and row.text is None for row in rows if row.reasons)
    assert all(set(row.reasons) <= {reason.value for reason in Reason} for row in rows)
    assert all(window.first <= row.event_date <= window.last for row in rows)
    read = set(inventory.files)
    damaged = {f"file://{file.path}" for file in files if file.is_damaged}
    assert len(read) + len(inventory.refused) == inventory.candidates
    assert read.isdisjoint(file.uri for file in inventory.refused)
    if not read & damaged:
        assert inventory.expected_rows == len(rows)
    per_file = Counter(row.file for row in rows)
    assert len(per_file) <= len(read)


@settings(PROFILE)
@given(data=st.data(), zone=ZONES)
def test_any_files_are_read_or_refused(spark: SparkSession, tmp_path: Path, data: st.DataObject, zone: str) -> None:
    root, window = with_good_file(tmp_path / "in"), Window(DAY, DAY, zone)
    files = data.draw(written_files(root, damage=False))
    inventory, rows = checked_rows(spark, root, window)
    check(inventory, rows, files, window)


@settings(PROFILE)
@given(data=st.data())
def test_damaged_files_are_read_or_refused(spark: SparkSession, tmp_path: Path, data: st.DataObject) -> None:
    root, window = with_good_file(tmp_path / "in"), Window(DAY, DAY)
    files = data.draw(written_files(root, damage=True))
    inventory, rows = checked_rows(spark, root, window)
    check(inventory, rows, files, window)


@settings(PROFILE, max_examples=50 * PROFILE.max_examples)
@given(spoilt=changes, number=st.integers(0, 7))
def test_a_damaged_file_never_ends_the_process(
    tmp_path: Path, samples: list[bytes], spoilt: list[tuple[float, int]], number: int
) -> None:
    root = fresh(tmp_path / "in")
    file = root / "a.parquet"
    file.write_bytes(samples[number % len(samples)])
    spoil(file, spoilt)
    try:
        inventory = take_inventory(open_folder(str(root)), of(root), Window(DAY, DAY))
    except InputError:
        return
    assert inventory.candidates <= 1


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Whole files of several forms."""
    file = tmp_path_factory.mktemp("samples") / "a.parquet"
    forms: list[dict[str, Any]] = [
        {},
        {"compression": "none"},
        {"row_group_size": 1},
        {"write_statistics": False},
        {"use_deprecated_int96_timestamps": True},
        {"use_dictionary": False, "data_page_version": "2.0"},
    ]
    found = []
    for form in forms:
        pq.write_table(messages(5), file, **form)
        found.append(file.read_bytes())
    return found
