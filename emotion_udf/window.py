"""The days of a run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from emotion_udf.errors import UsageError


@dataclass(frozen=True)
class Window:
    """Whole days in one time zone.

    Attributes:
        first: The first day.
        last: The last day, included.
        timezone: The IANA zone whose days these are.
    """

    first: date
    last: date
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise UsageError(f"expected --from to be no later than --to, found {self.first} and {self.last}")

    @property
    def start(self) -> datetime:
        """The first instant, in UTC."""
        return self._midnight(self.first)

    @property
    def end(self) -> datetime:
        """The instant after the last one, in UTC."""
        return self._midnight(self.last + timedelta(days=1))

    @property
    def dates(self) -> list[date]:
        """Every day, in order."""
        return list(self._days())

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}..{self.last}"

    def _days(self) -> Iterator[date]:
        for offset in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=offset)

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.timezone)).astimezone(UTC)


def parse_date(text: str) -> date:
    """Read `YYYY-MM-DD`, from 1970 on.

    Raises:
        UsageError: It is something else.
    """
    try:
        if not re.fullmatch(r"(19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}", text):
            raise ValueError("not in this form")
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"expected a date as YYYY-MM-DD, found {text!r}; for example 2026-10-05") from error


def last_days(count: int, timezone: str, now: datetime) -> Window:
    """Return the last whole days of a zone, the newest of them the day before `now`."""
    today = now.astimezone(ZoneInfo(timezone)).date()
    return Window(today - timedelta(days=count), today - timedelta(days=1), timezone)


def make_window(day: str | None, first: str | None, last: str | None, timezone: str) -> Window:
    """Make the window that `--date`, or `--from` with `--to`, asks for.

    Raises:
        UsageError: Both or neither are given, one end is missing, or a date cannot be read.
    """
    if day is not None and first is None and last is None:
        return Window(parse_date(day), parse_date(day), timezone)
    if day is None and first is not None and last is not None:
        return Window(parse_date(first), parse_date(last), timezone)
    raise UsageError("expected --date D, or --from D with --to D; found neither or a mixture")
