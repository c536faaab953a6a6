from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from emotion_udf.gates import GateResult
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.record import RunRecorder
from emotion_udf.nightly.unrecorded import KILLED, add_missing, keep_row, read_row
from emotion_udf.schemas import RUNS
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import Folder, open_folder
from emotion_udf.window import Window
from tests.helpers.memory_warehouse import MemoryWarehouse
from tests.helpers.messages import NOON


@pytest.fixture
def run(night: NightSettings, day: Window) -> RunRecorder:
    recorder = RunRecorder(RunContext(night, day, started_at=NOON, run_id="20261005T120000Z-abc123"))
    recorder.note(rows_read=10, seconds={"read": 0.5}, finished_at=NOON + timedelta(minutes=1))
    recorder.note(gates=[GateResult("unread_rows", True, None, 0, "look here")])
    return recorder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return open_folder(str(tmp_path / "staging" / "run"))


@pytest.fixture
def warehouse(tmp_path: Path) -> MemoryWarehouse:
    return MemoryWarehouse(open_folder(str(tmp_path / "memory")))


def test_a_kept_row_is_read_back_as_it_was(run: RunRecorder, folder: Folder) -> None:
    row = run.mark_published().row()
    keep_row(folder, row)
    assert read_row(folder) == row


@pytest.mark.parametrize("content", ["", "{", "[]", '{"event_date": "x"}'])
def test_half_a_row_counts_for_nothing(folder: Folder, content: str) -> None:
    Path(folder.path).mkdir(parents=True)
    (Path(folder.path) / "_run.json").write_text(content)
    assert read_row(folder) is None


def test_a_killed_run_is_added_as_failed(run: RunRecorder, folder: Folder, warehouse: MemoryWarehouse) -> None:
    keep_row(folder, replace(run.record, error=KILLED).row())
    add_missing(warehouse, folder, run.record.run_id, is_published=False)
    (row,) = warehouse.tables[RUNS]
    assert (row["outcome"], row["exit_code"], row["error"], row["rows_read"]) == ("failed", 1, "killed", 10)


def test_a_run_that_holds_its_dates_is_added_as_published(
    run: RunRecorder, folder: Folder, warehouse: MemoryWarehouse
) -> None:
    keep_row(folder, replace(run.record, error=KILLED).row())
    add_missing(warehouse, folder, run.record.run_id, is_published=True)
    (row,) = warehouse.tables[RUNS]
    assert (row["outcome"], row["exit_code"], row["error"]) == ("published", 0, None)


def test_a_run_that_is_on_record_is_not_added_again(
    run: RunRecorder, folder: Folder, warehouse: MemoryWarehouse
) -> None:
    row = run.mark_published().row()
    warehouse.append_run(row)
    keep_row(folder, row)
    add_missing(warehouse, folder, run.record.run_id, is_published=True)
    assert len(warehouse.tables[RUNS]) == 1


def test_a_run_without_a_row_is_left_out(folder: Folder, warehouse: MemoryWarehouse) -> None:
    add_missing(warehouse, folder, "20261005T120000Z-abc123", is_published=False)
    assert RUNS not in warehouse.tables


def test_a_table_of_runs_that_takes_no_row_leaves_it_for_later(
    run: RunRecorder, folder: Folder, warehouse: MemoryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise PermissionError

    keep_row(folder, replace(run.record, error=KILLED).row())
    with monkeypatch.context() as patch:
        patch.setattr(warehouse, "append_run", refuse)
        left = add_missing(warehouse, folder, run.record.run_id, is_published=True)
    assert left is not None
    assert left["outcome"] == "published"
    keep_row(folder, left)
    assert add_missing(warehouse, folder, run.record.run_id, is_published=True) is None
    assert warehouse.tables[RUNS] == [left]
