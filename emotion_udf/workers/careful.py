"""Texts that end the process that scores them are found and left out; all others are scored."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeVar

from emotion_udf.errors import WorkerError
from emotion_udf.workers.process import UnscorableError

log = logging.getLogger(__name__)

Text = TypeVar("Text")
Answer = TypeVar("Answer")

PART_ROWS: Final = 128
"""Texts that are scored together. Fewer lose less when the process ends, more fill its batches."""

_TRIES_ALONE: Final = 2


class Careful(Generic[Text, Answer]):
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
        """Yield the texts in their order, piece by piece, each with its answer; None stands by one text that has none.

        A part that fails is scored text by text. That costs no more than to score it once again, and the process ends
        once or twice over each bad text; by halves it would at every step.

        Raises:
            WorkerError: More than `most` texts have no answer: that is no matter of single texts.
        """
        try:
            together = self._score(texts)
        except UnscorableError:
            for text in texts:
                yield [text], self._alone([text])
        else:
            yield texts, together

    def _alone(self, text: Sequence[Text]) -> Answer | None:
        for _ in range(_TRIES_ALONE):
            try:
                return self._score(text)
            except UnscorableError as error:
                reason = str(error)
        self._left_out += 1
        log.warning("a text is left out, since each time that it is scored %s", reason)
        if self._left_out > self._most:
            raise WorkerError(
                f"expected at most {self._most} texts of a task that cannot be scored, found more: {reason}; look at "
                "the memory that a worker has and at the libraries of its Python"
            )
        return None
