from datetime import date, timedelta

import pytest

from emotion_udf.gates import DayProfile, Evidence
from emotion_udf.gates.volume import check_volume
from emotion_udf.settings.nightly import GateSettings

MONDAY = date(2026, 10, 5)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)


def messages(count: int) -> DayProfile:
    return DayProfile({"joy": count} if count else {})


def check(
    tonight: dict[date, int],
    history: dict[date, int] | None = None,
    published: dict[date, int] | None = None,
    **settings: float,
) -> dict[str, tuple[bool, float | None]]:
    """Return how each gate of volume ends, with its figure."""
    evidence = Evidence(
        tonight={day: messages(count) for day, count in tonight.items()},
        history={day: messages(count) for day, count in (history or {}).items()},
        published={day: messages(count) for day, count in (published or {}).items()},
    )
    gates = check_volume(evidence, GateSettings.model_validate(settings))
    return {gate.name: (gate.passed, gate.value) for gate in gates}


def test_a_usual_night_passes() -> None:
    found = check({MONDAY: 100}, {MONDAY - WEEK: 90, MONDAY - 2 * WEEK: 120}, {MONDAY: 99})
    assert found == {
        "empty_dates": (True, 0),
        "fewest_messages": (True, 100),
        "fewest_of_weekday": (True, 100 / 105),
        "fewest_of_published": (True, 100 / 99),
    }


def test_an_empty_date_is_refused() -> None:
    assert check({MONDAY: 0})["empty_dates"] == (False, 1)
    assert check({MONDAY: 0, MONDAY + DAY: 5})["empty_dates"] == (False, 1)


def test_an_empty_date_never_replaces_a_full_one_unasked() -> None:
    assert check({MONDAY: 0}, published={MONDAY: 60})["empty_dates"] == (False, 1)


@pytest.mark.parametrize(
    ("history", "published", "settings"),
    [
        ({}, {}, {"allow_empty_dates": True}),
        ({}, {MONDAY: 0}, {}),
        ({MONDAY - WEEK: 0, MONDAY - DAY: 50}, {}, {}),
    ],
)
def test_an_empty_date_is_published_where_it_is_expected(
    history: dict[date, int], published: dict[date, int], settings: dict[str, float]
) -> None:
    assert check({MONDAY: 0}, history, published, **settings)["empty_dates"] == (True, 0)


def test_a_date_is_compared_with_its_own_weekday() -> None:
    history = {MONDAY - WEEK: 400, MONDAY - DAY: 20, MONDAY - 2 * DAY: 20}
    assert check({MONDAY: 20}, history)["fewest_of_weekday"] == (False, 0.05)
    assert check({MONDAY - DAY + WEEK: 20}, history)["fewest_of_weekday"] == (True, 1.0)


def test_the_worst_date_of_several_counts() -> None:
    history = {MONDAY - WEEK: 100, MONDAY + DAY - WEEK: 100}
    assert check({MONDAY: 100, MONDAY + DAY: 40}, history)["fewest_of_weekday"] == (False, 0.4)


def test_later_dates_are_no_history_of_a_backfill() -> None:
    assert check({MONDAY: 1}, {MONDAY + WEEK: 1_000})["fewest_of_weekday"] == (True, None)


def test_empty_weekdays_do_not_lower_the_median() -> None:
    history = {MONDAY - n * WEEK: count for n, count in enumerate([100, 0, 0, 100], start=1)}
    assert check({MONDAY: 10}, history)["fewest_of_weekday"] == (False, 0.1)


def test_a_published_date_is_not_replaced_by_far_fewer_messages() -> None:
    assert check({MONDAY: 20}, published={MONDAY: 400})["fewest_of_published"] == (False, 0.05)
    assert check({MONDAY: 320}, published={MONDAY: 400})["fewest_of_published"] == (True, 0.8)
    assert check({MONDAY: 20}, published={MONDAY: 0})["fewest_of_published"] == (True, None)


def test_there_is_an_absolute_floor() -> None:
    assert check({MONDAY: 9}, min_messages=10)["fewest_messages"] == (False, 9)
    assert check({MONDAY: 10}, min_messages=10)["fewest_messages"] == (True, 10)
