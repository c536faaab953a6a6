"""Two pieces of Spark's work at once."""

import time
from contextlib import suppress
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

from emotion_udf.nightly.beside import beside


def test_both_have_their_results(spark: SparkSession) -> None:
    with beside(spark, lambda: spark.range(7).count()) as counted:
        own = spark.range(5).count()
    assert (own, counted.result()) == (5, 7)


def test_an_error_beside_is_for_who_asks_for_the_result(spark: SparkSession) -> None:
    with beside(spark, lambda: 1 // 0) as failed:
        assert spark.range(5).count() == 5
    with pytest.raises(ZeroDivisionError):
        failed.result()


def test_work_beside_is_cancelled_when_the_caller_fails(spark: SparkSession, tmp_path: Path) -> None:
    started = tmp_path / "started"

    def endless() -> int:
        sleep = udf(lambda _: (started.touch(), time.sleep(60)), "int")  # type: ignore[func-returns-value]
        return len(spark.range(1).select(sleep("id")).collect())

    with suppress(ZeroDivisionError), beside(spark, endless) as work:
        while not started.exists() and not work.done():
            time.sleep(0.1)
        raise ZeroDivisionError
    assert "SPARK_JOB_CANCELLED" in str(work.exception())
    assert not spark.sparkContext.statusTracker().getActiveJobsIds()
