"""Several tables that change at one instant, and what is left of runs that were killed on the way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_udf.errors import WindowHeldError
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RELEASES, TERMS
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.releases import move_pointer, next_release
from emotion_udf.tables.warehouse import Commit
from tests.helpers.killed import Killed, kill_at
from tests.helpers.nights import NIGHT, publish_night, same_in_all, shown_rows, stage_night

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))
COMMITS = len(NIGHT) + 1
"""Those of a night: one a table, and the pointer's."""


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


def test_before_the_first_night_there_is_no_release(warehouse: DeltaWarehouse) -> None:
    assert warehouse.release() is None
    assert warehouse.repair() is None
    assert not Path(warehouse.root.path).exists(), "looking makes nothing"


def test_a_night_is_a_release(warehouse: DeltaWarehouse) -> None:
    first = publish_night(warehouse, "r1", [D5, D6])
    second = publish_night(warehouse, "r2", [D6])

    assert (first.number, first.run_id, second.number, second.run_id) == (1, "r1", 2, "r2")
    assert warehouse.release() == second
    assert set(second.versions) == set(NIGHT)
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r2")])
    assert DeltaTable(warehouse.address(RELEASES)).to_pyarrow_table().num_rows == 1
    assert warehouse.repair() == second, "there is nothing to repair"


@pytest.mark.parametrize("call", range(COMMITS))
def test_a_night_killed_before_any_commit_shows_the_old_or_the_new_release(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    publish_night(warehouse, "r1", [D5, D6])
    with monkeypatch.context() as patch:
        kill_at(patch, call)
        with pytest.raises(Killed):
            publish_night(warehouse, "r2", [D6])
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r1")])

    warehouse.repair()
    expected = "r1" if call == 0 else "r2"
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, expected)])


@pytest.mark.parametrize("call", range(1, COMMITS))
def test_an_empty_night_that_was_killed_is_finished_too(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    publish_night(warehouse, "r1", [D5, D6])
    with monkeypatch.context() as patch:
        kill_at(patch, call)
        with pytest.raises(Killed):
            publish_night(warehouse, "r2", [D5, D6], rows_on=[D6])
    warehouse.repair()
    assert shown_rows(warehouse) == same_in_all([(D6, "r2")])


def test_the_very_first_night_can_be_killed_too(warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, 1)
        with pytest.raises(Killed):
            publish_night(warehouse, "r1", [D5])
    assert warehouse.release() is None
    release = warehouse.repair()
    assert (release.number, release.run_id) == (1, "r1") if release else False
    assert shown_rows(warehouse) == same_in_all([(D5, "r1")])


def test_the_next_night_finishes_what_a_killed_one_left(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_night(warehouse, "r1", [D5, D6])
    with monkeypatch.context() as patch:
        kill_at(patch, 2)
        with pytest.raises(Killed):
            publish_night(warehouse, "r2", [D5])
    publish_night(warehouse, "r3", [D6])
    assert shown_rows(warehouse) == same_in_all([(D5, "r2"), (D6, "r3")])


def test_a_run_that_holds_dates_keeps_its_files_until_it_is_finished(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, 1)
        with pytest.raises(Killed):
            publish_night(warehouse, "r1", [D5])
    stage_night(warehouse, "r2", [D5])
    for run_id in ("r1", "r2"):
        warehouse.discard(run_id)
    assert warehouse.data_folder(QUARANTINE, "r1").exists()
    assert not warehouse.data_folder(QUARANTINE, "r2").exists()


def publish_and_die(warehouse: DeltaWarehouse, run_id: str, days: list[date], call: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, call)
        with pytest.raises(Killed):
            publish_night(warehouse, run_id, days)


def vanish(file: Path) -> None:
    file.unlink()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:20])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def zero(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@pytest.mark.slow
@pytest.mark.parametrize("damage", [vanish, cut, empty, zero])
@pytest.mark.parametrize("table", [LABELS, DAILY, QUARANTINE])
@pytest.mark.parametrize("call", range(1, COMMITS))
def test_the_dates_of_a_killed_run_whose_files_are_gone_go_back_to_the_release(
    warehouse: DeltaWarehouse,
    caplog: pytest.LogCaptureFixture,
    call: int,
    table: str,
    damage: Callable[[Path], None],
) -> None:
    publish_night(warehouse, "r1", [D5, D6])
    publish_and_die(warehouse, "r2", [D6, D7], call)
    (file,) = Path(warehouse.data_folder(table, "r2").path).glob(f"event_date={D6}/*.parquet")
    damage(file)
    warehouse.repair()
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r1")])
    assert warehouse.published_dates([D5, D6, D7]) == [D5, D6], "a date that nobody published is not empty"
    assert "run_id=r2 it was killed while it published, and its files are gone" in caplog.text

    publish_night(warehouse, "r3", [D6, D7])
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r3"), (D7, "r3")])


@pytest.mark.parametrize("call", range(1, COMMITS))
def test_a_first_night_whose_files_are_gone_was_never_there(warehouse: DeltaWarehouse, call: int) -> None:
    publish_and_die(warehouse, "r1", [D5], call)
    warehouse.data_folder(DAILY, "r1").remove()
    warehouse.repair()
    assert warehouse.published_dates([D5]) == []
    publish_night(warehouse, "r2", [D6])
    assert shown_rows(warehouse) == same_in_all([(D6, "r2")])
    publish_night(warehouse, "r3", [D5])
    assert shown_rows(warehouse) == same_in_all([(D5, "r3"), (D6, "r2")])


def test_of_two_killed_runs_the_whole_one_is_finished(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    publish_and_die(warehouse, "r2", [D5], 1)
    publish_and_die(warehouse, "r3", [D6], 1)
    warehouse.data_folder(DAILY, "r2").remove()
    warehouse.repair()
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r3")])


@pytest.mark.parametrize("call", range(1, COMMITS + 1))
def test_taking_a_run_back_can_be_killed_too(warehouse: DeltaWarehouse, call: int) -> None:
    publish_night(warehouse, "r1", [D5, D6])
    publish_and_die(warehouse, "r2", [D6, D7], 2)
    warehouse.data_folder(QUARANTINE, "r2").remove()
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, call)
        with suppress(Killed):
            warehouse.repair()
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r1")])
    warehouse.repair()
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r1")])
    assert warehouse.published_dates([D7]) == []


def test_commits_of_no_run_are_released_as_the_same_night(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    DeltaTable(warehouse.address(LABELS)).optimize.compact()
    DeltaTable(warehouse.address(DAILY)).alter.set_table_name("renamed")
    release = warehouse.repair()
    assert release is not None
    assert (release.number, release.run_id) == (2, "r1")
    assert shown_rows(warehouse) == same_in_all([(D5, "r1")])


def test_tables_of_an_earlier_version_get_their_first_release(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    warehouse.folder(RELEASES).remove()
    release = warehouse.repair()
    assert release is not None
    assert release.number == 1
    assert shown_rows(warehouse) == same_in_all([(D5, "r1")])


def test_the_history_of_releases_is_the_list_of_nights(warehouse: DeltaWarehouse) -> None:
    for number in range(3):
        publish_night(warehouse, f"r{number}", [D5])
    runs = [entry.get("emotion_udf.run_id") for entry in DeltaTable(warehouse.address(RELEASES)).history()]
    assert [run for run in runs if run] == ["r2", "r1", "r0"]


@pytest.mark.parametrize("runs", [2, 5])
def test_runs_of_other_dates_at_once_are_all_released(tmp_path: Path, runs: int) -> None:
    days = [D5 + timedelta(days=n) for n in range(runs)]
    root = open_folder(str(tmp_path))
    with ThreadPoolExecutor(runs) as pool:
        list(pool.map(lambda day: publish_night(DeltaWarehouse(root), f"of-{day}", [day]), days))
    assert shown_rows(DeltaWarehouse(root)) == same_in_all([(day, f"of-{day}") for day in days])


@pytest.mark.parametrize("runs", [2, 5])
def test_of_runs_of_one_date_at_once_one_is_released(warehouse: DeltaWarehouse, runs: int) -> None:
    publish_night(warehouse, "r", [D5])
    since = warehouse.version(LABELS)

    def attempt(number: int) -> str | None:
        try:
            publish_night(DeltaWarehouse(warehouse.root), f"r{number}", [D5], since=since)
        except WindowHeldError:
            return None
        return f"r{number}"

    with ThreadPoolExecutor(runs) as pool:
        (winner,) = [run_id for run_id in pool.map(attempt, range(runs)) if run_id]
    assert shown_rows(warehouse) == same_in_all([(D5, winner)])


def test_the_pointer_moves_for_one_of_two(warehouse: DeltaWarehouse) -> None:
    release = publish_night(warehouse, "r1", [D5])
    pointers = [DeltaTable(warehouse.address(RELEASES)) for _ in range(2)]
    following = next_release(release, "r1", dict(release.versions))
    move_pointer(pointers[0], following)
    with pytest.raises(CommitFailedError):
        move_pointer(pointers[1], following)
    assert warehouse.release() == following


DAYS = st.lists(st.sampled_from([D5, D6, D7]), min_size=1, max_size=3, unique=True)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(st.tuples(DAYS, st.integers(0, 6)), min_size=1, max_size=5))
def test_readers_never_see_a_part_of_a_night(
    tmp_path_factory: pytest.TempPathFactory, nights: list[tuple[list[date], int]]
) -> None:
    """Each night is killed at some call, or ends; after each, every table shows the same runs, and so after repair."""
    warehouse = DeltaWarehouse(open_folder(str(tmp_path_factory.mktemp("warehouse"))))
    for number, (days, call) in enumerate(nights):
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, call)
            with suppress(Killed):
                publish_night(warehouse, f"r{number}", sorted(days))
        if warehouse.release() is not None:
            shown = shown_rows(warehouse)
            assert shown == same_in_all(shown[LABELS])
    if warehouse.repair() is not None:
        shown = shown_rows(warehouse)
        assert shown == same_in_all(shown[LABELS])
        newest = DeltaTable(warehouse.address(LABELS)).to_pyarrow_table(columns=["event_date", "run_id"])
        current = [(row["event_date"], row["run_id"]) for row in newest.to_pylist()]
        assert shown[LABELS] == sorted(current), "what was committed is released"


@pytest.mark.parametrize("content", [b"", b'{"commitInfo": {"time', b"\x00" * 300])
@pytest.mark.parametrize("table", [LABELS, QUARANTINE, RELEASES])
def test_a_commit_that_a_power_cut_left_in_part_is_set_aside(
    warehouse: DeltaWarehouse, table: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        publish_night(warehouse, f"r{number}", [D5])
    newest = max(Path(warehouse.address(table)).glob("_delta_log/*.json"))
    newest.write_bytes(content)

    release = warehouse.repair()
    assert release is not None
    assert table in caplog.text
    shown = shown_rows(warehouse)
    assert shown == same_in_all(shown[LABELS])
    publish_night(warehouse, "r9", [D5])
    assert shown_rows(warehouse) == same_in_all([(D5, "r9")])


def test_a_warehouse_of_an_earlier_version_gets_the_table_that_it_lacks(warehouse: DeltaWarehouse) -> None:
    earlier = {table: schema for table, schema in NIGHT.items() if table != TERMS}
    stage_night(warehouse, "r1", [D5, D6])
    warehouse.data_folder(TERMS, "r1").remove()
    first = warehouse.publish(earlier, Commit("r1", [D5, D6]), -1)
    assert TERMS not in first.versions
    assert warehouse.repair() == first
    assert warehouse.released(TERMS, [D5], ["term"]) is None

    second = publish_night(warehouse, "r2", [D6])
    assert second.versions.keys() == NIGHT.keys()
    assert shown_rows(warehouse) == {table: [(D5, "r1"), (D6, "r2")] for table in earlier} | {TERMS: [(D6, "r2")]}
    assert warehouse.repair() == second
