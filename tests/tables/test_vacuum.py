"""Which files can go, and which never do."""

import os
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_udf.errors import UsageError
from emotion_udf.schemas import LABELS, QUARANTINE, RELEASES, RUNS, TEXT_SCORES
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables import claims, publish
from emotion_udf.tables.delta_warehouse import RELEASED, DeltaWarehouse
from emotion_udf.tables.releases import list_releases
from emotion_udf.tables.rollback import plan_rollback, roll_back
from emotion_udf.tables.staging import running_runs, staging_folder
from emotion_udf.tables.vacuum import delete_unneeded, find_unneeded, kept_releases
from emotion_udf.tables.warehouse import Commit, Release
from tests.helpers.killed import Killed
from tests.helpers.nights import NIGHT, publish_night, same_in_all, shown_rows, stage_night

D5, D6 = (date(2026, 10, day) for day in (5, 6))
OTHERS = (RELEASES, RUNS, TEXT_SCORES)
RUN = "20261005T010203Z-abc123"


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


@pytest.fixture
def staging(tmp_path: Path) -> Folder:
    return open_folder(str(tmp_path / "staging"))


def vacuum(warehouse: DeltaWarehouse, staging: Folder, horizon: datetime | None = None) -> set[tuple[str, str]]:
    """Vacuum, and return the table and the run of each file that went."""
    found = find_unneeded(warehouse, RELEASED, OTHERS, staging, horizon or datetime.now(UTC) + timedelta(seconds=1))
    for file in found:
        delete_unneeded(warehouse, file)
    return {(file.table, file.path.split("/")[1]) for file in found if file.table in RELEASED}


def in_all(*run_ids: str) -> set[tuple[str, str]]:
    return {(table, run_id) for table in RELEASED for run_id in run_ids}


def later(release: Release) -> datetime:
    return release.released_at + timedelta(microseconds=1)


def age(warehouse: DeltaWarehouse, run_id: str, days: int) -> None:
    """Make a run's files older than they are."""
    then = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    for file in Path(warehouse.root.path).glob(f"*/data/{run_id}/**/*.parquet"):
        os.utime(file, (then, then))


def test_a_warehouse_that_is_not_there_needs_nothing(warehouse: DeltaWarehouse, staging: Folder) -> None:
    assert vacuum(warehouse, staging) == set()
    assert not Path(warehouse.root.path).exists()


def test_files_of_releases_that_are_not_kept_go(warehouse: DeltaWarehouse, staging: Folder) -> None:
    for number in range(3):
        publish_night(warehouse, f"r{number}", [D5])
    assert vacuum(warehouse, staging) == in_all("r0", "r1")
    assert shown_rows(warehouse) == same_in_all([(D5, "r2")])
    assert not warehouse.data_folder(LABELS, "r0").exists()
    publish_night(warehouse, "r3", [D5])
    assert shown_rows(warehouse) == same_in_all([(D5, "r3")])


def test_a_release_that_was_replaced_after_the_horizon_is_kept(warehouse: DeltaWarehouse, staging: Folder) -> None:
    releases = [publish_night(warehouse, f"r{number}", [D5]) for number in range(3)]
    for number in range(3):
        age(warehouse, f"r{number}", 2)
    assert kept_releases(releases, later(releases[1])) == releases[1:]
    assert vacuum(warehouse, staging, later(releases[1])) == in_all("r0")
    assert shown_rows(warehouse, releases[1]) == same_in_all([(D5, "r1")])


def test_what_is_younger_than_the_horizon_stays(warehouse: DeltaWarehouse, staging: Folder) -> None:
    for number in range(2):
        publish_night(warehouse, f"r{number}", [D5])
    stage_night(warehouse, "lost", [D5])
    assert vacuum(warehouse, staging, datetime.now(UTC) - timedelta(days=1)) == set()


def test_files_that_a_failed_run_has_left_go_and_those_of_a_running_one_stay(
    warehouse: DeltaWarehouse, staging: Folder
) -> None:
    publish_night(warehouse, "r1", [D5])
    stage_night(warehouse, "lost", [D5])
    with staging_folder(staging, RUN):
        assert running_runs(staging) == [RUN]
        stage_night(warehouse, RUN, [D5])
        assert vacuum(warehouse, staging) == in_all("lost")
    assert running_runs(staging) == []
    assert vacuum(warehouse, staging) == in_all(RUN)


def test_a_killed_run_that_holds_dates_keeps_its_files(
    warehouse: DeltaWarehouse, staging: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_night(warehouse, "r1", [D5])
    with monkeypatch.context() as patch:
        kill_after_first_commit(patch)
        with pytest.raises(Killed):
            publish_night(warehouse, "r2", [D5])
    assert vacuum(warehouse, staging) == set()
    warehouse.repair()
    assert shown_rows(warehouse) == same_in_all([(D5, "r2")])
    assert vacuum(warehouse, staging) == in_all("r1")


def test_a_killed_rollback_keeps_the_files_that_it_brings_back(
    warehouse: DeltaWarehouse, staging: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        publish_night(warehouse, f"r{number}", [D5])
    with monkeypatch.context() as patch:
        kill_after_first_commit(patch)
        with pytest.raises(Killed):
            roll_back(warehouse, RELEASED, plan_rollback(warehouse, RELEASED, 1), "back")
    vacuum(warehouse, staging)
    warehouse.repair()
    assert shown_rows(warehouse) == same_in_all([(D5, "r0")])


def test_files_before_a_compaction_go_and_after_it_stay(warehouse: DeltaWarehouse, staging: Folder) -> None:
    publish_night(warehouse, "r1", [D5])
    for table in RELEASED:
        folder = Path(warehouse.data_folder(table, "r1").path)
        stored = next(folder.rglob("*.parquet"))
        (stored.parent / "twin.parquet").write_bytes(stored.read_bytes())
    publish_again(warehouse, "r1")
    for table in RELEASED:
        DeltaTable(warehouse.address(table)).optimize.compact()
    warehouse.repair()
    assert vacuum(warehouse, staging) == in_all("r1")
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D5, "r1")])


def test_the_one_row_of_releases_leaves_nothing_behind(warehouse: DeltaWarehouse, staging: Folder) -> None:
    for number in range(3):
        publish_night(warehouse, f"r{number}", [D5])
    assert len(list(Path(warehouse.address(RELEASES)).glob("*.parquet"))) == 3
    vacuum(warehouse, staging)
    assert len(list(Path(warehouse.address(RELEASES)).glob("*.parquet"))) == 1
    assert len(list_releases(DeltaTable(warehouse.address(RELEASES)))) == 3
    assert warehouse.release() is not None


def test_hadoops_checksums_go_with_their_files(warehouse: DeltaWarehouse, staging: Folder) -> None:
    publish_night(warehouse, "r1", [D5])
    stage_night(warehouse, "lost", [D5])
    for run_id in ("r1", "lost"):
        folder = Path(warehouse.data_folder(LABELS, run_id).path) / f"event_date={D5}"
        (folder / ".part.parquet.crc").write_bytes(b"crc")
    vacuum(warehouse, staging)
    assert [file.parts[-3] for file in Path(warehouse.address(LABELS)).rglob("*.crc")] == ["r1"]
    assert not warehouse.data_folder(LABELS, "lost").exists()


def test_nothing_goes_when_a_kept_release_cannot_be_read(warehouse: DeltaWarehouse, staging: Folder) -> None:
    releases = [publish_night(warehouse, f"r{number}", [D5]) for number in range(3)]
    table = DeltaTable(warehouse.address(QUARANTINE))
    table.create_checkpoint()
    for log in Path(warehouse.address(QUARANTINE)).glob("_delta_log/*[0-2].json"):
        log.unlink()
    with pytest.raises(UsageError, match="quarantine"):
        vacuum(warehouse, staging, releases[0].released_at)
    assert shown_rows(warehouse) == same_in_all([(D5, "r2")])


def publish_again(warehouse: DeltaWarehouse, run_id: str) -> None:
    """Publish what lies in a run's data folders by now."""
    warehouse.publish(NIGHT, Commit(run_id, [D5]), warehouse.version(LABELS))


def kill_after_first_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = claims.commit_claim
    calls = iter(range(1_000))

    def committed(*args: object) -> None:
        if next(calls) == 1:
            raise Killed
        commit(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(publish, "commit_claim", committed)


@pytest.mark.slow
@settings(max_examples=15)
@given(
    st.lists(st.sampled_from([[D5], [D6], [D5, D6]]), min_size=1, max_size=5),
    st.integers(0, 5),
)
def test_every_kept_release_can_be_read_afterwards(
    tmp_path_factory: pytest.TempPathFactory, nights: Sequence[list[date]], since: int
) -> None:
    folder = tmp_path_factory.mktemp("v")
    warehouse = DeltaWarehouse(open_folder(str(folder / "warehouse")))
    releases = [publish_night(warehouse, f"r{number}", days) for number, days in enumerate(nights)]
    for number in range(len(nights)):
        age(warehouse, f"r{number}", 2)
    horizon = later(releases[min(since, len(releases) - 1)])
    kept = kept_releases(releases, horizon)
    before = [shown_rows(warehouse, release) for release in kept]
    vacuum(warehouse, open_folder(str(folder / "staging")), horizon)
    assert [shown_rows(warehouse, release) for release in kept] == before
    assert releases[-1] in kept
