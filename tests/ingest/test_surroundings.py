from datetime import date
from zoneinfo import available_timezones

import pytest
from pyspark.sql import SparkSession

from emotion_udf.errors import UsageError
from emotion_udf.ingest.surroundings import check_names, check_zone
from emotion_udf.window import Window

JULY = (date(2026, 7, 1), date(2026, 7, 3))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "EST"])
def test_a_zone_that_both_know_is_good(spark: SparkSession, zone: str) -> None:
    assert zone in available_timezones()
    check_zone(spark, Window(*JULY, zone))
    check_zone(spark, Window(date(2026, 3, 28), date(2026, 3, 30), zone))


@pytest.mark.parametrize("zone", ["Factory", "America/Coyhaique"])
def test_a_zone_that_java_does_not_know_is_refused(spark: SparkSession, zone: str) -> None:
    if zone not in available_timezones():
        pytest.skip(f"this Python's zones lack {zone}")
    with pytest.raises(UsageError, match=f"window.timezone {zone}"):
        check_zone(spark, Window(*JULY, zone))


def test_midnights_that_differ_are_refused(spark: SparkSession) -> None:
    class Other(Window):
        @property
        def timezone(self) -> str:  # type: ignore[override]
            return "UTC"

    check_names(spark, ["/in/ü", "s3a://bucket/ü"])
    with pytest.raises(UsageError, match="agree on the days"):
        check_zone(spark, _Shifted(*JULY, "Europe/Berlin"))


class _Shifted(Window):
    """A window of a Python whose zone data knows another offset."""
