"""`created_at` as files store it: whole units since 1970, compared with the window on the driver and in Spark alike."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F

from emotion_udf.window import Window

Unit = Literal["ms", "us", "ns"]

_PER_SECOND: Final = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_LARGEST: Final = 2**63 - 1
# Spark holds microseconds in 64 bits.
_MOST_MILLISECONDS: Final = _LARGEST // 1000


@dataclass(frozen=True)
class StoredTime:
    """The form of a column of times.

    Attributes:
        unit: What its integers count.
        is_instant: Whether they count from 1970 in UTC; otherwise they are wall-clock time in the settings' zone.
        as_integer: Whether Spark reads it as integers: nanoseconds, which it knows no type for, and milliseconds that
            may be beyond its own range, of which a single one would end the read.
    """

    unit: Unit
    is_instant: bool
    as_integer: bool = False

    def bounds(self, window: Window) -> tuple[int, int]:
        """Return the window's first unit, and the first after it."""
        if self.is_instant:
            ends = (window.start.replace(tzinfo=None), window.end.replace(tzinfo=None))
        else:
            ends = wall_clock_bounds(window)
        first, after = ((end - datetime(1970, 1, 1)) // timedelta(seconds=1) * _PER_SECOND[self.unit] for end in ends)
        return min(first, _LARGEST), min(after, _LARGEST)

    def is_in_range(self, low: int, high: int) -> bool:
        """Tell whether Spark can hold these units."""
        return self.unit != "ms" or (low >= -_MOST_MILLISECONDS and high <= _MOST_MILLISECONDS)

    def timestamp(self, column: Column) -> Column:
        """Return a column of integers as timestamps, rounded down, null where they are out of range."""
        if self.unit == "ms":
            fits = column.between(F.lit(-_MOST_MILLISECONDS), F.lit(_MOST_MILLISECONDS))
            return F.when(fits, F.timestamp_millis(column))
        if self.unit == "us":
            return F.timestamp_micros(column)
        before_1970 = F.when(column % 1000 < 0, F.lit(1)).otherwise(F.lit(0))  # div rounds towards zero
        return F.timestamp_micros(F.call_function("div", column, F.lit(1000)) - before_1970)


@dataclass(frozen=True)
class RowGroup:
    """The times of a row group, as the footer tells them.

    Attributes:
        rows: Rows.
        low: The smallest unit, None where it is not told.
        high: The largest.
        nulls: Rows without a time, None where it is not told.
    """

    rows: int
    low: int | None = None
    high: int | None = None
    nulls: int | None = None

    def rows_in_window(self, stored: StoredTime, window: Window, undated: bool) -> int | None:
        """Return how many of its rows belong to the window, None where only the rows themselves can tell.

        Args:
            stored: The form of the times.
            window: The days.
            undated: Whether a row without a time belongs to them.
        """
        if self.rows == 0:
            return 0
        if self.nulls is None or (self.low is None and self.nulls < self.rows):
            return None
        found = self.nulls if undated else 0
        if self.low is None or self.high is None:
            return found
        first, after = stored.bounds(window)
        if not stored.is_in_range(self.low, self.high):
            return None
        if self.low >= first and self.high < after:
            return found + self.rows - self.nulls
        return found if self.high < first or self.low >= after else None


def count_in_window(times: pa.ChunkedArray, stored: StoredTime, window: Window, undated: bool) -> int:
    """Count the times of a row group that belong to the window; `times` has the stored unit."""
    integers = pc.cast(times, pa.int64())
    first, after = stored.bounds(window)
    inside = pc.and_(pc.greater_equal(integers, first), pc.less(integers, after))
    count = int(pc.sum(inside).as_py() or 0)
    if undated:
        count += integers.null_count
        if stored.unit == "ms":
            fits = pc.and_(pc.greater_equal(integers, -_MOST_MILLISECONDS), pc.less_equal(integers, _MOST_MILLISECONDS))
            count += int(pc.sum(pc.invert(fits)).as_py() or 0)
    return count


def wall_clock_bounds(window: Window) -> tuple[datetime, datetime]:
    """Return the first moment of the window and the first after it, as a clock on the wall shows them."""
    return datetime.combine(window.first, time()), datetime.combine(window.last + timedelta(days=1), time())
