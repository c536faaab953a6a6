import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    WorkerError,
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
    ("error", "code"),
    [
        (EmotionUdfError, 1),
        (StorageError, 1),
        (UsageError, 2),
        (ModelError, 2),
        (DeviceError, 2),
        (InputError, 3),
        (GateError, 4),
        (WorkerError, 1),
        (WindowHeldError, 5),
    ],
)
def test_each_error_stands_for_its_exit_code(error: type[EmotionUdfError], code: int) -> None:
    assert error.exit_code == code
    assert issubclass(error, EmotionUdfError)


def test_a_wrong_model_or_device_is_a_usage_error() -> None:
    assert issubclass(ModelError, UsageError)
    assert issubclass(DeviceError, UsageError)


@pytest.mark.parametrize("error", [UsageError, ModelError, DeviceError, InputError, GateError, WindowHeldError])
def test_a_workers_error_is_found_in_its_traceback(error: type[EmotionUdfError]) -> None:
    found = from_worker(WORKER.format(last=f"emotion_udf.errors.{error.__name__}: expected a GPU: found none"))
    assert type(found) is error
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


def printed(error: Exception) -> str:
    """The traceback of an error, as a worker prints it."""
    try:
        raise error
    except Exception:
        return traceback.format_exc()


LINES = st.text(st.characters(exclude_categories=["Cs"]))


@given(first=st.text("abc :;=()", min_size=1), following=st.lists(LINES, max_size=3), foreign=LINES)
def test_a_message_is_found_with_all_its_lines_and_no_foreign_one(
    first: str, following: list[str], foreign: str
) -> None:
    message = "\n".join([first, *following])
    found = from_worker(f"{foreign}\n{printed(ModelError(message))}{foreign}\n\tat java.lang.Thread.run")
    assert type(found) is ModelError
    assert str(found) == message


def test_what_follows_a_message_without_an_end_is_not_taken_for_it() -> None:
    text = "emotion_udf.errors.ModelError: expected a model\ni hate my neighbour\n\tat java.lang.Thread.run"
    assert str(from_worker(text)) == "expected a model"
    assert str(from_worker(text + "\n" + printed(InputError("none")))) == "expected a model"


def test_an_error_that_is_sent_between_processes_stays_whole() -> None:
    sent = pickle.loads(pickle.dumps(ModelError("one\ntwo")))  # noqa: S301
    assert (type(sent), str(sent)) == (ModelError, "one\ntwo")
    assert str(from_worker(printed(sent))) == "one\ntwo"


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
    assert len(tree) == 10
    assert all("Catch it" in (error.__doc__ or "") for error in tree)
    assert all(f"{error.__name__} " in (errors.__doc__ or "") for error in tree)
