"""Labels as numbers: an emotion, neutral, or a set of emotions of which one fits."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.labelled import CLASSES

NEUTRAL: Final = len(EMOTIONS)
"""The label of a sentence without a feeling: all six emotions are equally probable."""

# Single classes first, so that an emotion's label is its index; then every set of two or more classes.
_SETS: Final = [
    frozenset(members) for size in range(1, len(CLASSES) + 1) for members in combinations(range(len(CLASSES)), size)
]
_NUMBERS: Final = {members: number for number, members in enumerate(_SETS)}

UNLABELLED: Final = len(_SETS) - 1
"""The label of a sentence of which nothing is known: any class fits."""

FITS: Final[NDArray[np.bool_]] = np.array([[c in members for c in range(len(CLASSES))] for members in _SETS])
"""(labels, 7) which of the six emotions and neutral each label allows."""


def label_number(classes: Iterable[int]) -> int:
    """Return the label that allows these classes, given as indices into `CLASSES`; at least one."""
    return _NUMBERS[frozenset(classes)]


@dataclass(frozen=True)
class LabelledTexts:
    """Sentences with their labels.

    Attributes:
        texts: The sentences.
        labels: As many numbers: an index into `EMOTIONS`, `NEUTRAL`, or that of a set (see `label_number`).
    """

    texts: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.texts)

    def __add__(self, other: "LabelledTexts") -> "LabelledTexts":
        return LabelledTexts(self.texts + other.texts, self.labels + other.labels)

    def take(self, rows: Iterable[int]) -> "LabelledTexts":
        """Return the sentences of these rows."""
        chosen = list(rows)
        return LabelledTexts([self.texts[row] for row in chosen], [self.labels[row] for row in chosen])

    @property
    def with_emotion(self) -> "LabelledTexts":
        """The sentences that have exactly one emotion."""
        return self.take(row for row, label in enumerate(self.labels) if label < NEUTRAL)

    @property
    def neutral(self) -> "LabelledTexts":
        """The sentences without a feeling."""
        return self.take(row for row, label in enumerate(self.labels) if label == NEUTRAL)

    @property
    def partial(self) -> "LabelledTexts":
        """The sentences of which only a set of emotions is known that holds the right one."""
        return self.take(row for row, label in enumerate(self.labels) if label > NEUTRAL and not FITS[label, NEUTRAL])


def fits(labels: Iterable[int], predicted: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell of each of N predicted emotions whether its sentence's label allows it, (N,)."""
    allowed: NDArray[np.bool_] = FITS[np.fromiter(labels, dtype=np.int64), predicted]
    return allowed
