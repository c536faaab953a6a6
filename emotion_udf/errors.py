"""Every error that this project raises, each with the exit code of the job that it ends.

    EmotionUdfError             1
      x UsageError              2
        + ModelError            2
        + DeviceError           2
      x InputError              3
      x GateError               4
      x StorageError            1
      x WorkerError             1
      x WindowHeldError         5
      x NotPublishedError       1

A message says what was expected, what was found and what to do. It never holds a message's text or author, and no
secret that an address has in it.
"""

import re
from typing import ClassVar, Final

from emotion_udf.masking import masked

_END: Final = "(end of this error of emotion_udf)"
"""A note below every message, by which `from_worker` finds its end."""


class EmotionUdfError(Exception):
    """The root of the tree. Catch it to tell this project's errors from bugs."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(masked(message))
        self.add_note(_END)  # a traceback shows it, `str` does not


class UsageError(EmotionUdfError):
    """The command line or the settings are wrong. Catch it to show its message and stop: a retry cannot help."""

    exit_code = 2


class ModelError(UsageError):
    """The classifier that the settings name cannot be used: wrong labels, no safetensors, a changed file.

    Catch it around `open_artifact`, `load_classifier` and `make_emotion_udf` to offer another model.
    """


class DeviceError(UsageError):
    """The settings ask for a device or a precision that this machine or task does not have.

    Catch it around `load_classifier` to go on with another device.
    """


class InputError(EmotionUdfError):
    """The input does not meet its contract: a missing folder or column, a wrong type, no readable file.

    Catch it to tell whoever delivers the files.
    """

    exit_code = 3


class StorageError(EmotionUdfError):
    """The storage did not answer, although it was asked several times, or refuses: it is full, or may not be written.

    Catch it to start again when the storage is well.
    """


class WorkerError(EmotionUdfError):
    """Python workers end whatever they score. Catch it to have somebody look at the machines, then start again."""


class GateError(EmotionUdfError):
    """A check before publishing refused the night. Catch it to call a person; the tables stay as they were."""

    exit_code = 4


class WindowHeldError(EmotionUdfError):
    """Another run published the same dates meanwhile. Catch it to go on: this run changed nothing of theirs."""

    exit_code = 5


class NotPublishedError(EmotionUdfError):
    """Days are not in the newest release. Catch it in a scheduler, to run their night again or to call a person."""


_HEAD = re.compile(r"\bemotion_udf\.errors\.(\w+): (.+)")


def from_worker(text: str) -> EmotionUdfError | None:
    """Return this project's own error from a Python worker's traceback, which Spark hands on as text.

    Lines after a message's first belong to it up to the note that ends it; without the note they are left out.

    Returns:
        The same error, or None when the worker failed for another reason.
    """
    head = _HEAD.search(text)
    error_type = globals().get(head[1]) if head else None
    if head is None or not isinstance(error_type, type) or not issubclass(error_type, EmotionUdfError):
        return None
    following, end, _ = text[head.end() :].partition(f"\n{_END}")
    ours = following if end and not _HEAD.search(following) else ""
    return error_type(head[2] + ours)
