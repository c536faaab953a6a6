"""Going back to an earlier release."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion_udf.errors import UsageError, WindowHeldError
from emotion_udf.schemas import DAILY, QUARANTINE, TERMS
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import RELEASED, DeltaWarehouse
from emotion_udf.tables.releases import list_releases
from emotion_udf.tables.rollback import Rollback, find_release, plan_rollback, roll_back
from emotion_udf.tables.warehouse import Release
from tests.helpers.killed import Killed, kill_at
from tests.helpers.nights import publish_night, same_in_all, shown_rows

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


def back_to(warehouse: DeltaWarehouse, number: int, run_id: str = "back") -> Rollback:
    plan = plan_rollback(warehouse, RELEASED, number)
    roll_back(warehouse, RELEASED, plan, run_id)
    return plan


def test_the_list_of_releases_is_what_was_released(warehouse: DeltaWarehouse) -> None:
    released = [publish_night(warehouse, f"r{number}", [D5]) for number in range(3)]
    assert list_releases(DeltaTable(warehouse.address("releases"))) == released
    assert find_release(warehouse, 2) == released[1]


def test_replaced_dates_show_the_files_of_then_and_later_dates_stay(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5, D6])
    publish_night(warehouse, "r2", [D6])
    publish_night(warehouse, "r3", [D7])
    plan = back_to(warehouse, 1)

    assert (plan.days, plan.later) == (["2026-10-06"], ["2026-10-07"])
    assert plan.rows == dict.fromkeys(RELEASED, 1)
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r1"), (D7, "r3")])
    release = warehouse.release()
    assert release is not None
    assert (release.number, release.run_id) == (4, "back")


def test_a_date_that_was_empty_is_empty_again(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5, D6], rows_on=[D5])
    publish_night(warehouse, "r2", [D5, D6])
    back_to(warehouse, 1)
    assert shown_rows(warehouse) == same_in_all([(D5, "r1")])


def test_a_date_that_was_emptied_has_its_rows_again(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    publish_night(warehouse, "r2", [D5], rows_on=[])
    back_to(warehouse, 1)
    assert shown_rows(warehouse) == same_in_all([(D5, "r1")])


def test_a_rollback_can_be_rolled_back_and_a_second_one_changes_nothing(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    publish_night(warehouse, "r2", [D5])
    back_to(warehouse, 1, "back")
    assert plan_rollback(warehouse, RELEASED, 1).days == []
    back_to(warehouse, 2, "forth")
    assert shown_rows(warehouse) == same_in_all([(D5, "r2")])


def test_the_next_night_goes_on_from_there(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    publish_night(warehouse, "r2", [D5, D6])
    back_to(warehouse, 1)
    publish_night(warehouse, "r3", [D6])
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r3")])


def test_compacted_files_come_back_too(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    for table in RELEASED:
        DeltaTable(warehouse.address(table)).optimize.compact()
    warehouse.repair()
    publish_night(warehouse, "r2", [D5])
    back_to(warehouse, 1)
    assert shown_rows(warehouse) == same_in_all([(D5, "r1")])


def test_a_warehouse_without_a_table_that_came_later_goes_back_too(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5], but_for=[TERMS])
    publish_night(warehouse, "r2", [D5, D6], but_for=[TERMS])
    plan = back_to(warehouse, 1)
    assert (plan.days, plan.later) == (["2026-10-05"], ["2026-10-06"])
    assert {name: rows for name, rows in shown_rows(warehouse).items() if name != TERMS} == {
        name: [(D5, "r1"), (D6, "r2")] for name in RELEASED if name != TERMS
    }


def test_nights_from_before_a_table_came_are_gone_back_to(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5], but_for=[TERMS])
    publish_night(warehouse, "r2", [D5])
    plan = back_to(warehouse, 1)
    assert plan.rows[TERMS] == 0
    assert shown_rows(warehouse) == same_in_all([(D5, "r1")]) | {TERMS: []}


@pytest.mark.parametrize("call", range(len(RELEASED) + 1))
def test_a_rollback_that_is_killed_is_finished_by_the_next_start(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    publish_night(warehouse, "r1", [D5, D6])
    publish_night(warehouse, "r2", [D5, D6, D7], rows_on=[D5, D7])
    before = same_in_all([(D5, "r2"), (D7, "r2")])
    with monkeypatch.context() as patch:
        kill_at(patch, call)
        with pytest.raises(Killed):
            back_to(warehouse, 1)
    assert shown_rows(warehouse) == before

    warehouse.repair()
    after = same_in_all([(D5, "r1"), (D6, "r1"), (D7, "r2")])
    assert shown_rows(warehouse) == (before if call == 0 else after)


def test_an_unknown_release_is_refused(warehouse: DeltaWarehouse) -> None:
    with pytest.raises(UsageError, match="none"):
        plan_rollback(warehouse, RELEASED, 1)
    publish_night(warehouse, "r1", [D5])
    with pytest.raises(UsageError, match=r"1 to 1.*found 7"):
        plan_rollback(warehouse, RELEASED, 7)


def test_a_release_whose_files_are_gone_is_refused(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    publish_night(warehouse, "r2", [D5])
    warehouse.data_folder(QUARANTINE, "r1").remove()
    with pytest.raises(UsageError, match="1 of them deleted"):
        plan_rollback(warehouse, RELEASED, 1)
    assert shown_rows(warehouse) == same_in_all([(D5, "r2")])


def test_files_of_other_dates_may_be_gone(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    publish_night(warehouse, "r2", [D6])
    publish_night(warehouse, "r3", [D6])
    warehouse.data_folder(QUARANTINE, "r1").remove()
    assert plan_rollback(warehouse, RELEASED, 2).days == ["2026-10-06"]


def test_a_night_that_publishes_in_between_stands(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    publish_night(warehouse, "r2", [D5])
    plan = plan_rollback(warehouse, RELEASED, 1)
    publish_night(warehouse, "r3", [D5])
    with pytest.raises(WindowHeldError, match="r3"):
        roll_back(warehouse, RELEASED, plan, "back")
    assert shown_rows(warehouse) == same_in_all([(D5, "r3")])


def test_a_night_that_nobody_can_finish_is_taken_back(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_night(warehouse, "r0", [D5])
    publish_night(warehouse, "r1", [D5])
    with monkeypatch.context() as patch:
        kill_at(patch, 1)
        with pytest.raises(Killed):
            publish_night(warehouse, "r2", [D5, D6])
    warehouse.data_folder(DAILY, "r2").remove()
    plan = back_to(warehouse, 2)
    assert plan.days == ["2026-10-05", "2026-10-06"]
    assert shown_rows(warehouse) == same_in_all([(D5, "r1")])
    publish_night(warehouse, "r3", [D6])
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r3")])


DAYS = st.lists(st.sampled_from([D5, D6, D7, D7 + timedelta(days=1)]), min_size=1, max_size=4, unique=True)


def expected_after(history: Sequence[dict[date, str | None]], to: int) -> list[tuple[date, str]]:
    """Return what is shown after a rollback: of each date that existed what it had then, of others what they have."""
    return sorted((day, run) for day, run in (history[-1] | history[to]).items() if run)


@pytest.mark.slow
@settings(max_examples=20)
@given(
    st.lists(st.dictionaries(DAYS.map(lambda days: days[0]), st.booleans(), min_size=1), min_size=2, max_size=5),
    st.data(),
)
def test_a_rollback_shows_the_dates_of_then_also_when_killed(
    tmp_path_factory: pytest.TempPathFactory, nights: list[dict[date, bool]], data: st.DataObject
) -> None:
    """Each night has some dates, with or without rows."""
    warehouse = DeltaWarehouse(open_folder(str(tmp_path_factory.mktemp("warehouse"))))
    history: list[dict[date, str | None]] = []
    releases: list[Release] = []
    for number, days in enumerate(nights):
        run_id = f"r{number}"
        releases.append(publish_night(warehouse, run_id, sorted(days), [day for day, rows in days.items() if rows]))
        of_night = {day: run_id if rows else None for day, rows in days.items()}
        history.append((history[-1] if history else {}) | of_night)
    to = data.draw(st.integers(0, len(nights) - 2))
    before = shown_rows(warehouse)
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, data.draw(st.integers(0, len(RELEASED) + 2)))
        with suppress(Killed):
            back_to(warehouse, to + 1)
    warehouse.repair()
    shown = shown_rows(warehouse)
    after = same_in_all(expected_after(history, to))
    assert shown in (before, after)
    if shown == before:
        back_to(warehouse, to + 1, "again")
    assert shown_rows(warehouse) == after
    assert {number: shown_rows(warehouse, release) for number, release in enumerate(releases)} == {
        number: same_in_all(sorted((day, run) for day, run in of_then.items() if run))
        for number, of_then in enumerate(history)
    }, "earlier releases stay as they were"
