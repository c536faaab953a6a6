"""Nothing is written or deleted outside of the warehouse, whatever a link, a log or a table says."""

import os
import stat
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from emotion_udf.errors import UsageError
from emotion_udf.schemas import LABELS, QUARANTINE, RELEASES, RUNS, TEXT_SCORES
from emotion_udf.steps.score import text_key
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables.delta_warehouse import RELEASED, DeltaWarehouse
from emotion_udf.tables.find_rows import find_messages
from emotion_udf.tables.forget import forget
from emotion_udf.tables.ownership import Claim
from emotion_udf.tables.publish import take_dates
from emotion_udf.tables.staging import dead_runs, mark_folder, running_runs
from emotion_udf.tables.upkeep import checkpoint
from emotion_udf.tables.vacuum import delete_unneeded, find_unneeded
from tests.helpers.nights import publish_night

DAY = date(2026, 10, 5)
RUN = "20261005T010203Z-abc123"


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    warehouse = DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))
    publish_night(warehouse, RUN, [DAY])
    return warehouse


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody else, which looks like a run's."""
    place = tmp_path / "outside"
    (place / RUN).mkdir(parents=True)
    (place / RUN / "part.parquet").write_text("somebody's own")
    (place / "part.parquet").write_text("somebody's own")
    return place


def vacuum(warehouse: DeltaWarehouse) -> None:
    staging = warehouse.root / "_staging"
    horizon = datetime.now(UTC) + timedelta(seconds=1)
    for file in find_unneeded(warehouse, RELEASED, (RELEASES, RUNS, TEXT_SCORES), staging, horizon):
        delete_unneeded(warehouse, file)


def forget_x(warehouse: DeltaWarehouse) -> None:
    forget(warehouse, RELEASED, find_messages(warehouse, ["x"], text_key, "text"), "20261006T010203Z-def456")


def discard(warehouse: DeltaWarehouse) -> None:
    warehouse.discard("lost")


def sum_up(warehouse: DeltaWarehouse) -> None:
    checkpoint(warehouse, QUARANTINE)


def link(place: Path, target: Path) -> None:
    """Put a link in the place of a folder, whose content moves behind it."""
    if place.is_dir():
        for entry in place.iterdir():
            if not (target / entry.name).exists():
                entry.rename(target / entry.name)
        for path, folders, files in os.walk(place, topdown=False):
            for name in files:
                os.remove(f"{path}/{name}")
            for name in folders:
                os.rmdir(f"{path}/{name}")
        place.rmdir()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


@pytest.mark.parametrize(
    ("act", "place"),
    [
        (discard, "emotion_labels/data"),
        (discard, "quarantine/data/lost"),
        (vacuum, "emotion_labels/data"),
        (vacuum, f"emotion_labels/data/{RUN}/more"),
        (vacuum, "quarantine/data/stray.parquet"),
        (vacuum, "text_scores"),
        (forget_x, "quarantine/data"),
        (forget_x, "quarantine/data/lost"),
        (forget_x, f"emotion_labels/data/{RUN}/event_date=2026-10-05/again.parquet"),
        (sum_up, "quarantine/_delta_log"),
    ],
)
def test_nothing_is_deleted_behind_a_link(
    warehouse: DeltaWarehouse, outside: Path, act: Callable[[DeltaWarehouse], None], place: str
) -> None:
    (outside / "lost").mkdir()
    target = outside / "part.parquet" if place.endswith(".parquet") else outside
    link(Path(warehouse.root.path) / place, target)
    before = {file: file.stat().st_mtime_ns for file in outside.rglob("*")}
    with pytest.raises(UsageError, match=r"found a link to .*outside.*nothing is deleted"):
        act(warehouse)

    assert {file: file.stat().st_mtime_ns for file in outside.rglob("*")} == before


def test_a_link_inside_of_what_is_deleted_goes_without_what_is_behind_it(
    warehouse: DeltaWarehouse, outside: Path
) -> None:
    folder = Path(warehouse.data_folder(LABELS, "lost").path)
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    warehouse.discard("lost")

    assert not folder.exists()
    assert (outside / "part.parquet").read_text() == "somebody's own"


def test_a_link_in_the_staging_folder_is_no_run(tmp_path: Path, outside: Path) -> None:
    staging = open_folder(str(tmp_path / "staging"))
    mark_folder(staging / "20261005T010203Z-mine")
    (tmp_path / "staging" / "20200101T010203Z-planted").symlink_to(outside)

    assert dead_runs(staging) == []
    assert running_runs(staging) == ["20261005T010203Z-mine"]


def test_a_root_that_is_itself_behind_a_link_is_none(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "warehouse").symlink_to(tmp_path / "disk")
    warehouse = DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))
    publish_night(warehouse, RUN, [DAY])
    vacuum(warehouse)
    forget_x(warehouse)

    assert DeltaTable(tmp_path / "disk" / LABELS).to_pyarrow_table().num_rows == 0


@pytest.mark.parametrize("run_id", ["..", "../../outside", "/etc", "", "a/../b", "a//b", "."])
def test_a_run_cannot_be_named_like_a_place_elsewhere(warehouse: DeltaWarehouse, run_id: str, outside: Path) -> None:
    with pytest.raises(UsageError, match="expected the name of something below"):
        warehouse.discard(run_id)
    schemas = {name: DeltaTable(warehouse.address(name)).schema() for name in RELEASED}
    with pytest.raises(UsageError, match="expected the name of something below"):
        take_dates(warehouse, schemas, Claim(run_id, ["2026-10-06"]), [], -1)

    assert (outside / RUN / "part.parquet").exists()


@pytest.mark.parametrize("value", ["../../../../outside/x", "a/b", "..", "ü", "", None, "plain"])
def test_a_value_of_a_table_is_no_place(warehouse: DeltaWarehouse, outside: Path, value: str | None) -> None:
    """Tables of other jobs in the same root, whose ids are forgotten too, may be partitioned by anything."""
    table = Path(warehouse.root.path) / "theirs"
    rows = pa.table({"feedback_id": ["x", "y"], "shop": pa.array([value, value], pa.string())})
    write_deltalake(table, rows, partition_by=["shop"])
    before = sorted(outside.rglob("*"))
    forget_x(warehouse)

    left = DeltaTable(table).to_pyarrow_table().to_pylist()
    assert [row["feedback_id"] for row in left] == ["y"]
    assert left[0]["shop"] in (value, None)  # Delta has no empty partition value
    assert sorted(outside.rglob("*")) == before
    assert all(file.resolve().is_relative_to(table) for file in table.rglob("*"))


def test_only_the_jobs_own_user_and_group_look_into_the_staging_folder(tmp_path: Path) -> None:
    staging: Folder = open_folder(str(tmp_path)) / "_staging" / RUN
    before = os.umask(0o022)
    try:
        mark_folder(staging)
    finally:
        os.umask(before)

    assert stat.S_IMODE(os.stat(staging.path).st_mode) == 0o750
