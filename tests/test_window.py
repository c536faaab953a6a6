import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.errors import UsageError
from emotion_udf.window import Window, last_days, make_window, parse_date

DAYS = st.dates(date(1990, 1, 1), date(2060, 1, 1))


def one_day(year: int, month: int, day: int, timezone: str) -> Window:
    return Window(date(year, month, day), date(year, month, day), timezone)


def test_a_day_in_utc_runs_from_midnight_to_midnight() -> None:
    window = one_day(2026, 10, 5, "UTC")
    assert window.start == datetime(2026, 10, 5, tzinfo=UTC)
    assert window.end == datetime(2026, 10, 6, tzinfo=UTC)
    assert window.start.tzinfo is UTC
    assert window.end.tzinfo is UTC


def test_a_day_elsewhere_is_cut_at_its_own_midnight() -> None:
    assert one_day(2026, 10, 5, "Europe/Berlin").start == datetime(2026, 10, 4, 22, tzinfo=UTC)
    assert one_day(2026, 12, 5, "Europe/Berlin").start == datetime(2026, 12, 4, 23, tzinfo=UTC)
    assert one_day(2026, 10, 5, "America/Los_Angeles").start == datetime(2026, 10, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "timezone", "hours"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 23),
        (date(2026, 10, 25), "Europe/Berlin", 25),
        (date(2026, 10, 24), "Europe/Berlin", 24),
        # Clocks that change at midnight: the day begins at 1:00, and the day before is an hour longer.
        (date(2018, 11, 4), "America/Sao_Paulo", 23),
        (date(2018, 2, 17), "America/Sao_Paulo", 25),
    ],
)
def test_a_day_on_which_the_clock_changes_has_its_own_length(day: date, timezone: str, hours: int) -> None:
    window = Window(day, day, timezone)
    assert window.end - window.start == timedelta(hours=hours)


@given(DAYS, st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Pacific/Apia"]))
def test_neighbouring_days_share_a_border(day: date, timezone: str) -> None:
    tomorrow = day + timedelta(days=1)
    assert Window(day, day, timezone).end == Window(tomorrow, tomorrow, timezone).start


@given(DAYS, st.integers(0, 40))
def test_dates_are_all_days_in_order(first: date, more: int) -> None:
    last = first + timedelta(days=more)
    dates = Window(first, last).dates
    assert dates[0] == first
    assert dates[-1] == last
    assert len(dates) == more + 1
    assert all(b - a == timedelta(days=1) for a, b in pairwise(dates))


def test_a_window_reads_as_its_days() -> None:
    assert str(one_day(2026, 10, 5, "UTC")) == "2026-10-05"
    assert str(Window(date(2026, 10, 5), date(2026, 10, 7))) == "2026-10-05..2026-10-07"


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--from .* --to.* 2026-10-06 and 2026-10-05"):
        Window(date(2026, 10, 6), date(2026, 10, 5))


@given(DAYS)
def test_a_date_is_read_as_it_is_written(day: date) -> None:
    assert parse_date(day.isoformat()) == day


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "05.10.2026", "2026-13-01", "2026-02-30", "2026-10-05T00:00", " 2026-10-05", "20261005"],
)
def test_another_date_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=rf"YYYY-MM-DD.* found {re.escape(repr(text))}"):
        parse_date(text)


def test_a_window_is_one_date_or_two_ends() -> None:
    day = date(2026, 10, 5)
    assert make_window("2026-10-05", None, None, "UTC") == Window(day, day, "UTC")
    assert make_window(None, "2026-10-05", "2026-10-07", "Europe/Berlin") == Window(
        day, date(2026, 10, 7), "Europe/Berlin"
    )


@pytest.mark.parametrize(
    ("timezone", "count", "first", "last"),
    [
        ("UTC", 1, date(2026, 10, 5), date(2026, 10, 5)),
        ("UTC", 3, date(2026, 10, 3), date(2026, 10, 5)),
        ("Asia/Tokyo", 1, date(2026, 10, 6), date(2026, 10, 6)),
        ("America/Los_Angeles", 2, date(2026, 10, 4), date(2026, 10, 5)),
    ],
)
def test_the_last_days_are_whole_ones_of_their_zone(timezone: str, count: int, first: date, last: date) -> None:
    assert last_days(count, timezone, datetime(2026, 10, 6, 22, 30, tzinfo=UTC)) == Window(first, last, timezone)


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (None, None, None),
        (None, "2026-10-05", None),
        (None, None, "2026-10-05"),
        ("2026-10-05", "2026-10-05", None),
        ("2026-10-05", None, "2026-10-05"),
        ("2026-10-05", "2026-10-05", "2026-10-05"),
    ],
)
def test_a_mixture_of_dates_is_refused(day: str | None, first: str | None, last: str | None) -> None:
    with pytest.raises(UsageError, match=r"--date .*--from .*--to "):
        make_window(day, first, last, "UTC")


def test_a_date_without_leading_zeros_is_refused() -> None:
    with pytest.raises(UsageError):
        parse_date("2026-1-5")


def test_the_last_date_of_all_is_refused_or_works() -> None:
    try:
        assert make_window("9999-12-31", None, None, "UTC").end > datetime(9999, 12, 31, tzinfo=UTC)
    except UsageError:
        return
