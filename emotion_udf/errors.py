"""Every error that this project raises, each with the exit code of the job that it ends.

A message says what was expected, what was found and what to do. It never holds a message's text or author.
"""

import re
from typing import ClassVar


class EmotionUdfError(Exception):
    """The root of the tree. Catch it to tell this project's errors from bugs."""

    exit_code: ClassVar[int] = 1


class UsageError(EmotionUdfError):
    """The command line or the settings are wrong: fix them and start again."""

    exit_code = 2


class ModelError(UsageError):
    """The classifier that the settings name cannot be used: wrong labels, no safetensors, a changed file."""


class DeviceError(UsageError):
    """The settings ask for a device that this machine or task does not have."""


class InputError(EmotionUdfError):
    """The input does not meet its contract: a missing folder or column, a wrong type, no readable file."""

    exit_code = 3


class StorageError(EmotionUdfError):
    """The storage did not answer, although it was asked several times: start again later."""


class GateError(EmotionUdfError):
    """A check before publishing refused the night; the tables stay as they were."""

    exit_code = 4


class WindowHeldError(EmotionUdfError):
    """Another run published the same dates meanwhile; this one changed nothing of theirs."""

    exit_code = 5


def from_worker(text: str) -> EmotionUdfError | None:
    """Find this project's own error in a Python worker's traceback, which Spark hands on as text.

    Returns:
        The same error, or None when the worker failed for another reason.
    """
    found = re.search(r"\bemotion_udf\.errors\.(\w+): (.+)", text)
    kind = globals().get(found[1]) if found else None
    if found and isinstance(kind, type) and issubclass(kind, EmotionUdfError):
        return kind(found[2])
    return None
