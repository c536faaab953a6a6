"""What Python and Java have to agree on before a night works: the days of a zone, and the names of files."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emotion_udf.errors import UsageError
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import canonical
from emotion_udf.window import Window

_NOW: Final = timedelta(0)
_JUST_BEFORE: Final = timedelta(microseconds=1)


def check_surroundings(spark: SparkSession, settings: NightSettings, window: Window) -> None:
    """Check that Spark cuts the days as the window does, and that it can name the folders of the settings.

    Raises:
        UsageError: It does not.
    """
    check_zone(spark, window)
    places = (settings.input.path, settings.warehouse.root, settings.staging_root)
    # Where spark-submit's Java cannot read a letter of the command line, it hands on a ?.
    named = [canonical(place) for place in places if place is not None]
    _check_encoding(spark, [place for place in named if not place.isascii() or "?" in place])


def check_zone(spark: SparkSession, window: Window) -> None:
    """Check that Java's time zone data has the window's zone, with the same midnights.

    Raises:
        UsageError: It has not.
    """
    if window.timezone == "UTC":
        return
    ends = [*window.dates, window.last + timedelta(days=1)]
    midnights = [replace(window, first=day, last=day).start for day in ends]
    borders = F.array(*(F.lit(midnight - ago) for midnight in midnights for ago in (_NOW, _JUST_BEFORE)))
    days = F.transform(borders, lambda instant: F.to_date(F.from_utc_timestamp(instant, window.timezone)))
    try:
        ((found,),) = spark.range(1).select(days).collect()
    except PySparkException as error:
        if error.getCondition() != "INVALID_TIMEZONE":
            raise
        raise UsageError(
            f"expected a time zone that Python and Java know, found window.timezone {window.timezone}, which this Java "
            "does not know; name an older zone with the same clock, or renew Java"
        ) from error
    expected = [day for end in ends for day in (end, end - timedelta(days=1))]
    if found != expected:
        raise UsageError(
            f"expected Python and Java to agree on the days of {window.timezone}, found other midnights in {window}; "
            "renew the older of the two: Java, or Python's package tzdata"
        )


def check_names(spark: SparkSession, names: Sequence[str]) -> None:
    """Check that Java writes names of local files as Python does.

    Args:
        spark: The session.
        names: Paths or URIs.

    Raises:
        UsageError: It does not, as under a locale without UTF-8.
    """
    _check_encoding(spark, [name for name in names if not name.isascii()])


def _check_encoding(spark: SparkSession, foreign: Sequence[str]) -> None:
    local = next((name for name in foreign if name.startswith(("/", "file:"))), None)
    if local is None:
        return
    ((encoding,),) = spark.sql("SELECT reflect('java.lang.System', 'getProperty', 'sun.jnu.encoding')").collect()
    if encoding.upper().replace("-", "") != "UTF8" or os.fsencode("ü") != "ü".encode():
        raise UsageError(
            f"expected names of files in UTF-8, found {encoding} in Spark's Java, which cannot name {local!r}; start "
            "the job with the environment variable LC_ALL=C.UTF-8, on all nodes"
        )
