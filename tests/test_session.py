import pytest
from py4j.protocol import Py4JNetworkError
from pyspark.sql import SparkSession

from emotion_udf.session import dynamic_tasks, lost_session, parallelism

ENDED = [
    Py4JNetworkError("Answer from Java side is empty"),
    ConnectionRefusedError(111, "Connection refused"),
    RuntimeError("Job 3 cancelled because SparkContext was shut down"),
    RuntimeError("Cannot call methods on a stopped SparkContext."),
]


@pytest.mark.parametrize("error", ENDED, ids=lambda error: type(error).__name__)
def test_a_spark_that_was_ended_is_one_message(error: Exception) -> None:
    lost = lost_session(error)
    assert lost is not None
    assert lost.exit_code == 1
    assert "found that its Java process was ended" in str(lost)


def test_any_other_error_is_none() -> None:
    assert lost_session(RuntimeError("Job aborted due to stage failure")) is None


@pytest.mark.parametrize(
    ("settings", "tasks"),
    [
        ({}, 0),
        ({"maxExecutors": "5"}, 0),
        ({"enabled": "true"}, 0),
        ({"enabled": "true", "maxExecutors": "5"}, 15),
    ],
)
def test_executors_that_come_when_there_is_work_are_counted_by_the_most(settings: dict[str, str], tasks: int) -> None:
    """Of seven cores each, with two cores a task."""
    named = {f"spark.dynamicAllocation.{key}": value for key, value in settings.items()}
    named |= {"spark.executor.cores": "7", "spark.task.cpus": "2"}
    assert dynamic_tasks(named.get) == tasks


def test_local_mode_has_as_many_tasks_as_cores(spark: SparkSession) -> None:
    assert parallelism(spark) == 2
