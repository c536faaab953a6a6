from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from emotion_udf.errors import GateError, NotPublishedError, UsageError
from emotion_udf.schemas import QUARANTINE
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.published import find_published
from tests.helpers.copies import record_run, run_night
from tests.helpers.killed import Killed, kill_at
from tests.helpers.nights import publish_night

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))
STARTED = datetime(2026, 10, 20, 2, tzinfo=UTC)  # of every run of these helpers


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


def test_a_day_is_published_also_without_rows(warehouse: DeltaWarehouse) -> None:
    run_night(warehouse, "r1", [D5], empty=[D6])
    found = find_published(warehouse.root, [D5, D6])
    assert (found.missing, found.require_all().number) == ([], 1)


def test_what_runs_says_of_missing_days_is_told_by_run(warehouse: DeltaWarehouse) -> None:
    run_night(warehouse, "r1", [D5])
    record_run(warehouse, "r2", [D6, D7], GateError("a storm\nand more"))
    days = [D5, D6, D7, date(2026, 10, 8)]
    with pytest.raises(NotPublishedError) as failed:
        find_published(warehouse.root, days).require_all()
    assert str(failed.value).splitlines() == [
        "expected 2026-10-06, 2026-10-07, 2026-10-08 in the newest release, found release 1 without; runs says:",
        "  2026-10-06, 2026-10-07: run r2 of 2026-10-20 02:00:00 UTC ended as refused (4): a storm",
        "  2026-10-08: no run that has ended; one may be at work, was killed, or never began",
    ]


def test_a_first_night_that_failed_is_told_before_there_is_a_release(warehouse: DeltaWarehouse) -> None:
    record_run(warehouse, "r1", [D5], RuntimeError("a text that nobody may see"))
    with pytest.raises(NotPublishedError, match=r"found no release yet; runs says:\n .*failed \(1\): RuntimeError\n"):
        find_published(warehouse.root, [D5]).require_all()


def test_a_day_that_was_taken_back_is_missing(warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_night(warehouse, "r1", [D5])
    with monkeypatch.context() as patch:
        kill_at(patch, 1)
        with pytest.raises(Killed):
            publish_night(warehouse, "r2", [D6])
    warehouse.data_folder(QUARANTINE, "r2").remove()
    warehouse.repair()
    assert find_published(warehouse.root, [D5, D6]).missing == [D6]


def test_a_day_is_published_after_its_commit_has_left_the_log(warehouse: DeltaWarehouse) -> None:
    for run, day in (("r1", D5), ("r2", D6)):
        run_night(warehouse, run, [day])
    labels = warehouse.at("emotion_labels")
    labels.create_checkpoint()
    for version in range(labels.version()):
        Path(warehouse.root.path, f"emotion_labels/_delta_log/{version:020}.json").unlink()
    assert find_published(warehouse.root, [D5, D6, D7]).missing == [D7]


def test_labels_of_before_do_not_count_for_a_day_that_is_labelled_again(warehouse: DeltaWarehouse) -> None:
    run_night(warehouse, "r1", [D5])
    assert find_published(warehouse.root, [D5], since=STARTED).missing == []
    assert find_published(warehouse.root, [D5], since=STARTED.replace(second=1)).missing == [D5]


def test_a_folder_without_tables_is_no_warehouse(warehouse: DeltaWarehouse) -> None:
    with pytest.raises(UsageError, match="expected the tables of the nightly job"):
        find_published(warehouse.root, [D5])
