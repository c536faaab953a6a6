"""The evidence of a night: its own figures from the files it has written, those before it from the release."""

from collections.abc import Sequence
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from emotion_udf.gates import DayProfile
from emotion_udf.schemas import DAILY, PARTITION, QUARANTINE
from emotion_udf.storage import Folder, list_parquet
from emotion_udf.tables.warehouse import Warehouse
from emotion_udf.window import Window

# The columns of emotion_daily that a profile adds up.
_SUMS = {
    "low_confidence": "low_confidence_count",
    "truncated": "truncated_count",
    "foreign": "foreign_count",
    "tokens": "token_count",
    "unknown_tokens": "unknown_token_count",
}
_COUNTS = ("feedback_count", *_SUMS.values())
_DATE = pa.field(PARTITION, pa.date32())


def profiles_of_night(daily: Folder, quarantine: Folder, window: Window) -> dict[date, DayProfile]:
    """Return the profile of each date of the window, from the files that the run has written."""
    profiles = _profiles(_written(daily, [*_COUNTS, "emotion"]), _written(quarantine, ["reasons"]))
    return {day: profiles.get(day, DayProfile()) for day in window.dates}


def profiles_of_release(warehouse: Warehouse, days: Sequence[date]) -> dict[date, DayProfile]:
    """Return the profiles of the dates that the newest release shows; those that were never published are not there."""
    daily = warehouse.released(DAILY, days, [*_COUNTS, "emotion"])
    quarantine = warehouse.released(QUARANTINE, days, ["reasons"])
    if daily is None or quarantine is None:
        return {}
    profiles = _profiles(daily, quarantine)
    return {day: profiles.get(day, DayProfile()) for day in {*profiles, *warehouse.published_dates(days)}}


def history_days(window: Window, days: int) -> list[date]:
    """Return the dates before the window that its history is taken from."""
    return [window.first - timedelta(days=n) for n in range(days, 0, -1)]


def _written(folder: Folder, columns: Sequence[str]) -> pa.Table:
    files = [f"{folder.path}/{file.path}" for file in list_parquet(folder)]
    partitioning = ds.partitioning(pa.schema([_DATE]), flavor="hive")
    schema = None if files else pa.schema([_DATE, *(pa.field(name, pa.null()) for name in columns)])
    dataset = ds.dataset(files, schema, "parquet", folder.system, partitioning, folder.path)
    return dataset.to_table([PARTITION, *columns])


def _profiles(daily: pa.Table, quarantine: pa.Table) -> dict[date, DayProfile]:
    """Add up rows of `emotion_daily` and of `quarantine` by date."""
    emotions: dict[date, dict[str, int]] = {}
    for row in daily.group_by([PARTITION, "emotion"]).aggregate([("feedback_count", "sum")]).to_pylist():
        emotions.setdefault(row[PARTITION], {})[row["emotion"]] = row["feedback_count_sum"]
    sums = daily.group_by([PARTITION]).aggregate([(column, "sum") for column in _SUMS.values()]).to_pylist()
    # The sum of a column that only later versions have is null.
    counts = {row[PARTITION]: {name: row[f"{column}_sum"] for name, column in _SUMS.items()} for row in sums}
    refused = _refused(quarantine)
    return {
        day: DayProfile(emotions.get(day, {}), refused=refused.get(day, {}), **counts.get(day, {}))
        for day in {*emotions, *refused}
    }


def _refused(quarantine: pa.Table) -> dict[date, dict[str, int]]:
    """Count the rows of each date by their first reason; refused files have no date of their own."""
    if not quarantine.num_rows:
        return {}
    first = pc.list_element(quarantine["reasons"], 0)
    table = pa.table({PARTITION: quarantine[PARTITION], "reason": first})
    found: dict[date, dict[str, int]] = {}
    for row in table.group_by([PARTITION, "reason"]).aggregate([([], "count_all")]).to_pylist():
        found.setdefault(row[PARTITION], {})[row["reason"]] = row["count_all"]
    return found
