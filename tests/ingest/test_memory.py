"""What a task may hold, by the settings that a session shows."""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from emotion_udf.ingest.memory import MOST, ReadLimits, read_limits

MIB = 1024 * 1024


class Session:
    """A session of which only the settings are asked."""

    def __init__(self, **settings: str) -> None:
        self.conf = {f"spark.{name.replace('_', '.')}": value for name, value in settings.items()}


def limits(**settings: str) -> ReadLimits:
    session: Any = Session(**settings)
    return read_limits(session)


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"master": "local[2,4]"}, 512),
        ({"master": "local", "driver_memory": "1g"}, 1_024),
        ({"master": "local[4]", "driver_memory": "2G", "executor_memory": "64g"}, 512),
        ({"master": "local[2]", "driver_memory": "1024"}, 512),
        ({"master": "yarn", "executor_memory": "1500m", "executor_cores": "3"}, 500),
        ({"master": "yarn", "executor_memory": "1024mb", "executor_cores": "4", "task_cpus": "2"}, 512),
        ({"master": "spark://host:7077"}, 256),
    ],
)
def test_a_task_holds_its_share_of_the_heap(settings: dict[str, str], share: int) -> None:
    assert limits(**settings) == ReadLimits(share * MIB // 4, share * MIB // 8)


def test_no_more_is_asked_of_a_large_heap() -> None:
    assert limits(master="yarn", executor_memory="64g", executor_cores="2") == MOST


def test_a_session_of_spark_has_them(spark: SparkSession) -> None:
    assert read_limits(spark) == ReadLimits(256 * MIB, 128 * MIB), "tests have 2 GB for two tasks"
