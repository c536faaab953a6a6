import os
import subprocess
import sys
from datetime import date, datetime, timedelta
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


class _Shifted(Window):
    """A window of a Python whose time zone data has another offset than Java's."""

    @property
    def start(self) -> datetime:
        return super().start + timedelta(hours=1)


def test_midnights_that_differ_are_refused(spark: SparkSession) -> None:
    with pytest.raises(UsageError, match="agree on the days"):
        check_zone(spark, _Shifted(*JULY, "Europe/Berlin"))


def test_names_are_good_where_java_writes_utf8(spark: SparkSession) -> None:
    check_names(spark, ["/in/ü", "s3a://bucket/ü", "file:///in/plain"])


@pytest.mark.slow
@pytest.mark.spark
def test_a_java_that_cannot_name_a_file_is_refused() -> None:
    script = (
        "from emotion_udf.session import start_session\n"
        "from emotion_udf.errors import UsageError\n"
        "from emotion_udf.ingest.surroundings import check_names, check_surroundings\n"
        "from emotion_udf.settings.nightly import NightSettings\n"
        "from emotion_udf.window import Window\n"
        "from datetime import date\n"
        "spark = start_session('cron')\n"
        "check_names(spark, ['/in/plain', 's3a://bucket/ü'])\n"
        "print('plain names are good')\n"
        "settings = NightSettings(input={'path': '/in/f??'}, warehouse={'root': '/out'})\n"
        "for check in (\n"
        "    lambda: check_names(spark, ['file:///in/ü']),\n"
        "    lambda: check_surroundings(spark, settings, Window(date(2026, 10, 5), date(2026, 10, 5))),\n"
        "):\n"
        "    try:\n"
        "        check()\n"
        "    except UsageError as error:\n"
        "        print(error)\n"
    )
    locale = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    done = subprocess.run(
        [sys.executable, "-c", script], env=locale | {"LC_ALL": "C"}, capture_output=True, text=True, timeout=300
    )
    assert "plain names are good" in done.stdout
    assert "cannot name 'file:///in/ü'; start the job with the environment variable LC_ALL=C.UTF-8" in done.stdout
    assert "cannot name '/in/f??'" in done.stdout, "what spark-submit has made of /in/fü"
