"""Sending to a server that may not answer: so many attempts, each with a time limit, and pauses that grow."""

from collections.abc import Callable
from time import sleep
from typing import Final

from emotion_udf.errors import StorageError

_FIRST_PAUSE_S: Final = 0.5
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500


class UndeliveredError(StorageError):
    """A server did not take something.

    Attributes:
        is_final: Whether another attempt cannot help.
    """

    def __init__(self, found: str, is_final: bool) -> None:
        super().__init__(f"expected the server to take it, found {found}")
        self.is_final = is_final


def refused_with(status: int) -> UndeliveredError:
    """Return the error of an answer."""
    return UndeliveredError(f"HTTP {status}", is_final=status < _SERVER_ERROR and status != _TOO_MANY_REQUESTS)


def unanswered(error: BaseException) -> UndeliveredError:
    """Return the error of no answer; of the cause only its kind is told, for it may quote an address."""
    return UndeliveredError(f"no answer ({type(error).__name__})", is_final=False)


def deliver(send: Callable[[], None], attempts: int) -> None:
    """Call `send` until it raises nothing.

    Raises:
        UndeliveredError: The last attempt failed, or one in a way that no other can mend.
    """
    for left in range(attempts - 1, -1, -1):
        try:
            return send()
        except UndeliveredError as error:
            if error.is_final or not left:
                raise
        sleep(_FIRST_PAUSE_S * 2 ** (attempts - 1 - left))
    return None
