"""Damaged files as the driver looks at them, before Spark opens any: refused or read, never the end of the process."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_udf.errors import InputError
from emotion_udf.ingest.inventory import take_inventory
from emotion_udf.storage import open_folder
from emotion_udf.window import Window
from tests.fuzz.conftest import FILES
from tests.fuzz.inputs import DAY, Change, changes, spoil
from tests.helpers.messages import input_settings, messages


@settings(FILES)
@given(spoilt=changes, number=st.integers(0, 7))
def test_a_damaged_file_never_ends_the_process(
    tmp_path: Path, samples: list[bytes], spoilt: list[Change], number: int
) -> None:
    root = tmp_path / "in"
    shutil.rmtree(root, ignore_errors=True)  # hypothesis gives all examples the same folder
    root.mkdir()
    file = root / "a.parquet"
    file.write_bytes(samples[number % len(samples)])
    spoil(file, spoilt)
    try:
        inventory = take_inventory(open_folder(str(root)), input_settings(root), Window(DAY, DAY))
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
