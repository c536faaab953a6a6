import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from emotion_udf.dashboard.release import open_release
from emotion_udf.errors import EmotionUdfError, InputError, UsageError
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RUNS
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta import DeltaTables
from emotion_udf.tables.releases import move_pointer, next_release, open_pointer, read_release
from tests.helpers.made_up import Feedback, write_release

SMALL = Feedback({"source": ["tweet"], "product": ["Kettle", None]}, days=4, texts=[("joy", "lovely")])


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    write_release(tmp_path / "warehouse", SMALL)
    return tmp_path / "warehouse"


def test_a_release_has_its_dimensions_its_tables_and_who_holds_its_days(warehouse: Path) -> None:
    opened = open_release(str(warehouse))

    assert opened.dimensions == ["source", "product"]
    assert set(opened.tables) == {LABELS, DAILY, QUARANTINE, RUNS, "emotion_terms"}
    assert opened.holders == {day: SMALL.run_of(day) for day in SMALL.dates}
    assert LABELS not in open_release(str(warehouse), with_texts=False).tables


def test_tables_are_read_at_the_versions_that_the_release_names(warehouse: Path) -> None:
    rows = open_release(str(warehouse)).tables[DAILY].count_rows()
    daily = DeltaTable(warehouse / DAILY)

    daily.delete()

    assert open_release(str(warehouse)).tables[DAILY].count_rows() == rows > 0


def test_no_tables(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected the tables of the nightly job below .*, found none"):
        open_release(str(tmp_path))


def test_tables_without_a_release(warehouse: Path) -> None:
    shutil.rmtree(warehouse / "releases")

    with pytest.raises(
        UsageError, match=r"expected a release in .*, found none: these tables are of an earlier version"
    ):
        open_release(str(warehouse))


@pytest.mark.parametrize("column", ["distinct_text_count", "foreign_count", "mean_probability", "run_id"])
def test_a_table_that_lacks_a_column(tmp_path: Path, column: str) -> None:
    write_release(tmp_path, SMALL)
    tables = DeltaTables(open_folder(str(tmp_path)))
    without = DeltaTable(tmp_path / DAILY).to_pyarrow_table().drop_columns(column)
    write_deltalake(tmp_path / DAILY, without, mode="overwrite", schema_mode="overwrite")
    pointer = open_pointer(tables)
    released = read_release(pointer)
    assert released is not None
    versions = {**released.versions, DAILY: tables.version(DAILY)}
    move_pointer(pointer, next_release(released, "later", versions))

    with pytest.raises(InputError, match=f"expected the columns {column} in {DAILY}.*run a night with this version"):
        open_release(str(tmp_path))


@pytest.mark.parametrize("table", [DAILY, QUARANTINE, LABELS, "emotion_terms", RUNS])
def test_files_that_a_vacuum_took(warehouse: Path, table: str) -> None:
    next((warehouse / table).rglob("*.parquet")).unlink()

    with pytest.raises(InputError, match=f"expected all files of {table} in release 1, found 1 gone"):
        open_release(str(warehouse))


def test_a_log_that_no_longer_reaches_back(warehouse: Path) -> None:
    log = warehouse / DAILY / "_delta_log"
    write_deltalake(warehouse / DAILY, DeltaTable(warehouse / DAILY).to_pyarrow_table(), mode="overwrite")
    DeltaTable(warehouse / DAILY).create_checkpoint()
    for file in log.glob("0000000000000000000[012].json"):
        file.unlink()

    with pytest.raises(InputError, match="its log no longer reaches back to it"):
        open_release(str(warehouse))


def test_a_missing_audit_column_is_named(warehouse: Path) -> None:
    write_deltalake(warehouse / "audits", pa.table({"sample_id": ["a"]}))

    with pytest.raises(EmotionUdfError, match=r"human_emotion, .* in audits.*record a sample with this version"):
        open_release(str(warehouse))
