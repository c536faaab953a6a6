"""Work that nobody waits for: in a thread of its own, one piece after another, and an error is a warning."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic

from emotion_udf.errors import EmotionUdfError
from emotion_udf.refusals import refusal_of

log = logging.getLogger(__name__)


class Background:
    """A thread that does what it is given.

    It keeps no process alive: where something hangs, the process ends without it.

    Args:
        what: What is done in it, for the log.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._left = 0
        self._changed = threading.Condition()

    def submit(self, work: Callable[[], None]) -> None:
        """Do some work after what was given before."""
        with self._changed:
            self._left += 1
            is_first = self._left == 1
        self._work.put(work)
        if is_first:
            threading.Thread(target=self._do_all, name=self.what, daemon=True).start()

    def wait(self, until: float) -> bool:
        """Wait until all is done, or until a moment of the monotonic clock; tell if all is done."""
        with self._changed:
            return self._changed.wait_for(lambda: self._left == 0, max(0.0, until - monotonic()))

    def _do_all(self) -> None:
        while True:
            work = self._work.get()
            try:
                work()
            except ModuleNotFoundError as error:
                log.warning("%s: no %s; pip install 'emotion-udf[monitoring]'", self.what, error.name)
            except BaseException as error:  # nothing that happens here is a reason for anything else to end
                log.warning("%s: not done: %s", self.what, _said(error))
            with self._changed:
                self._left -= 1
                self._changed.notify_all()
                if self._left == 0:
                    return


def _said(error: BaseException) -> str:
    """Say what went wrong; of a foreign error no more than its kind, and the file that the settings name."""
    known = error if isinstance(error, EmotionUdfError) else refusal_of(error)
    if known is None and isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    return str(known or type(error).__name__)
