"""Texts that end the process that scores them are found by halving; all others are scored."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from emotion_udf.errors import WorkerError
from emotion_udf.workers.process import UnscorableError

log = logging.getLogger(__name__)

Text = TypeVar("Text")
Answer = TypeVar("Answer")

PART_ROWS: Final = 128
"""Texts that are scored together, at first. Fewer lose less when the process ends, more fill its batches."""

_TRIES_ALONE: Final = 2


class Careful:
    """Scores parts of a task's texts, and leaves out what cannot be scored.

    Args:
        score: Scores some texts, or raises `UnscorableError`.
        most: So many texts may be left out.
    """

    def __init__(self, score: Callable[[Sequence[Text]], Answer], most: int = 20) -> None:
        self._score = score
        self._most = most
        self._left_out = 0

    def answers(self, texts: Sequence[Text]) -> Iterator[tuple[Sequence[Text], Answer | None]]:
        """Yield the texts in their order, part by part, each with its answer; None stands by one that has none.

        A part that fails is halved. A text that fails alone as often as it may has no answer.

        Raises:
            WorkerError: More than `most` texts have none: that is no matter of single texts.
        """
        tries = _TRIES_ALONE if len(texts) == 1 else 1
        for _ in range(tries):
            try:
                yield texts, self._score(texts)
                return
            except UnscorableError as error:
                reason = str(error)
        if len(texts) > 1:
            middle = len(texts) // 2
            yield from self.answers(texts[:middle])
            yield from self.answers(texts[middle:])
            return
        self._left_out += 1
        log.warning("a text cannot be scored, each time %s; it is left out, the others go on", reason)
        if self._left_out > self._most:
            raise WorkerError(
                f"expected at most {self._most} texts of a task that cannot be scored, found more, the last one since "
                f"{reason}; look at the memory that a worker has and at the libraries of its Python"
            )
        yield texts, None
