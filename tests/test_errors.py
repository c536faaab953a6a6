import pytest

from emotion_udf import errors
from emotion_udf.errors import (
    DeviceError,
    EmotionUdfError,
    GateError,
    InputError,
    ModelError,
    StorageError,
    UsageError,
    WindowHeldError,
    from_worker,
)

WORKER = """
  An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "/opt/app/emotion_udf/udf.py", line 121, in score_batches
    yield score_window(window, _classifier_for(spec))
                               ^^^^^^^^^^^^^^^^^^^^^
  File "/opt/app/emotion_udf/udf.py", line 158, in _classifier_for
    raise ModelError(
{last}

"""


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (EmotionUdfError, 1),
        (StorageError, 1),
        (UsageError, 2),
        (ModelError, 2),
        (DeviceError, 2),
        (InputError, 3),
        (GateError, 4),
        (WindowHeldError, 5),
    ],
)
def test_each_error_stands_for_its_exit_code(kind: type[EmotionUdfError], code: int) -> None:
    assert kind.exit_code == code
    assert issubclass(kind, EmotionUdfError)


def test_a_wrong_model_or_device_is_a_usage_error() -> None:
    assert issubclass(ModelError, UsageError)
    assert issubclass(DeviceError, UsageError)


@pytest.mark.parametrize("kind", [UsageError, ModelError, DeviceError, InputError, GateError, WindowHeldError])
def test_a_workers_error_is_found_in_its_traceback(kind: type[EmotionUdfError]) -> None:
    found = from_worker(WORKER.format(last=f"emotion_udf.errors.{kind.__name__}: expected a GPU: found none"))
    assert type(found) is kind
    assert str(found) == "expected a GPU: found none"


def test_the_error_is_found_when_it_was_raised_from_another() -> None:
    chained = (
        "ValueError: i hate my neighbour\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n"
        "emotion_udf.errors.ModelError: expected the weights of config.json, found other weights"
    )
    found = from_worker(WORKER.format(last=chained))
    assert type(found) is ModelError
    assert str(found) == "expected the weights of config.json, found other weights"


@pytest.mark.parametrize(
    "last",
    [
        "ValueError: i hate my neighbour",
        "MemoryError",
        "other.errors.ModelError: expected something else",
        "emotion_udf.errors.re: not an error",
        "emotion_udf.errors.NoSuchError: gone",
        "emotion_udf.errors.ModelError",
        "",
    ],
)
def test_another_error_of_a_worker_is_not_ours(last: str) -> None:
    assert from_worker(WORKER.format(last=last)) is None


def test_every_error_of_the_tree_says_when_to_expect_it() -> None:
    tree = [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, EmotionUdfError)]
    assert len(tree) == 8
    assert all(kind.__doc__ for kind in tree)
