"""What changes when one model follows another: the labels of the same messages, compared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from emotion_udf.emotions import EMOTIONS

UNCLEAR: Final = "unclear"
"""The share of labels that are not confident, whatever their emotion."""

_Z: Final = 1.959963984540054


@dataclass(frozen=True)
class Change:
    """The messages that have one label by the old model and one by the new.

    Attributes:
        old_emotion: The old model's label.
        old_confident: Whether it is confident.
        new_emotion: The new model's label.
        new_confident: Whether it is confident.
        feedback_count: Messages.
        distinct_text_count: Their different texts.
        squares: The sum, over these texts, of the squared number of messages that have it.
    """

    old_emotion: str
    old_confident: bool
    new_emotion: str
    new_confident: bool
    feedback_count: int
    distinct_text_count: int
    squares: int


@dataclass(frozen=True)
class ShareChange:
    """A share by both models.

    Attributes:
        label: An emotion, or `unclear`.
        old: The old model's share of all messages, 0 to 1.
        new: The new model's.
        low: The lower end of the 95 % interval of the difference.
        high: The upper end.
    """

    label: str
    old: float
    new: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """New minus old."""
        return self.new - self.old


def share_changes(changes: Sequence[Change]) -> list[ShareChange]:
    """Return the share of each emotion, and of labels that are not confident, by both models."""
    return [_share_change(label, changes) for label in (*EMOTIONS, UNCLEAR)]


def changed_share(changes: Sequence[Change]) -> float:
    """Return the share of messages whose emotion changes; 0 without messages."""
    total = sum(change.feedback_count for change in changes)
    moved = sum(change.feedback_count for change in changes if change.old_emotion != change.new_emotion)
    return moved / total if total else 0.0


def paired_interval(only_old: tuple[int, int], only_new: tuple[int, int], same: tuple[int, int]) -> tuple[float, float]:
    """Return the 95 % interval of the difference of two shares of the same messages.

    Bonett and Price's adjusted Wald interval for paired shares (2012): one message is added to those that only the old
    model counts and one to those that only the new one does, so that no change at all still has an interval. The
    variance is McNemar's, taken over texts and not over messages: what is copied a thousand times changes a thousand
    times at once, and tells as much as one. Without copies it is the published interval.

    Args:
        only_old: Messages that only the old model counts, and the sum of squares of their texts' copies.
        only_new: The same of those that only the new one does.
        same: The same of all others.
    """
    total = only_old[0] + only_new[0] + same[0] + 2
    centre = (only_new[0] - only_old[0]) / total
    squares = (only_old[1] + 1) * (1 + centre) ** 2 + (only_new[1] + 1) * (1 - centre) ** 2 + same[1] * centre**2
    half = _Z * math.sqrt(squares) / total
    return max(-1.0, centre - half), min(1.0, centre + half)


def _share_change(label: str, changes: Sequence[Change]) -> ShareChange:
    counts: dict[tuple[bool, bool], tuple[int, int]] = {}
    for change in changes:
        kind = (
            _counts(label, change.old_emotion, change.old_confident),
            _counts(label, change.new_emotion, change.new_confident),
        )
        messages, squares = counts.get(kind, (0, 0))
        counts[kind] = (messages + change.feedback_count, squares + change.squares)
    both, neither, only_old, only_new = (
        counts.get(kind, (0, 0)) for kind in ((True, True), (False, False), (True, False), (False, True))
    )
    total = max(1, both[0] + neither[0] + only_old[0] + only_new[0])
    low, high = paired_interval(only_old, only_new, (both[0] + neither[0], both[1] + neither[1]))
    return ShareChange(label, (both[0] + only_old[0]) / total, (both[0] + only_new[0]) / total, low, high)


def _counts(label: str, emotion: str, is_confident: bool) -> bool:
    """Tell whether a message counts towards a share."""
    return not is_confident if label == UNCLEAR else emotion == label
