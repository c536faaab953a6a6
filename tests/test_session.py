import pytest
from py4j.protocol import Py4JNetworkError

from emotion_udf.session import lost_session

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
