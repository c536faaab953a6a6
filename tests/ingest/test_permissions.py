"""Files and folders that the job's user may not read, met by a user who really may not."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from emotion_udf.errors import InputError
from emotion_udf.ingest.inventory import Inventory, take_inventory
from emotion_udf.schemas import Reason
from emotion_udf.storage import open_folder
from emotion_udf.window import Window
from tests.helpers.messages import input_settings, messages
from tests.helpers.permissions import as_nobody, open_folder_for_all


@pytest.fixture
def root(day: Window) -> Iterator[Path]:
    """A folder with six files and one in a folder below, as everybody may read them."""
    with open_folder_for_all() as folder:
        for name in ("0", "1", "2", "3", "4", "5", "below/6"):
            file = folder / f"{name}.parquet"
            file.parent.mkdir(exist_ok=True)
            pq.write_table(messages(), file)
        inventory(folder, day)  # imports what it needs, which nobody may not read either
        yield folder
        (folder / "below").chmod(0o755)
        folder.chmod(0o755)


def inventory(root: Path, day: Window) -> Inventory:
    return take_inventory(open_folder(str(root)), input_settings(root), day)


def test_closed_files_are_refused_with_their_cause_and_counted(
    root: Path, day: Window, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(6):
        (root / f"{number}.parquet").chmod(0)
    with as_nobody(), caplog.at_level(logging.WARNING):
        found = inventory(root, day)
    assert [file.reason for file in found.refused] == [Reason.PERMISSION_DENIED] * 6
    assert (found.candidates, found.expected_rows) == (7, 2)
    named = ", ".join(f"{number}.parquet (permission_denied)" for number in range(5))
    assert f"6 input files cannot be read and are left out: {named} and 1 more" in caplog.text


def test_an_input_of_closed_files_only_names_them(root: Path, day: Window) -> None:
    for file in root.rglob("*.parquet"):
        file.chmod(0)
    with (
        as_nobody(),
        pytest.raises(InputError, match=r"found 7 that cannot be read .* 0\.parquet \(permission_denied\)"),
    ):
        inventory(root, day)


@pytest.mark.parametrize("mode", [0, 0o444])
def test_a_closed_folder_is_named(root: Path, day: Window, mode: int) -> None:
    (root / "below").chmod(mode)
    with (
        as_nobody(),
        pytest.raises(InputError, match=rf"found {root}/below\S* closed to this user; let the job's user"),
    ):
        inventory(root, day)


@pytest.mark.parametrize("name", ["", "0.parquet", "below"])
def test_what_lies_in_a_closed_folder_is_not_called_missing(root: Path, day: Window, name: str) -> None:
    root.chmod(0)
    with as_nobody(), pytest.raises(InputError, match="closed to this user"):
        inventory(root / name, day)
