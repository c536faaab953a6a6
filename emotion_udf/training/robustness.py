"""How labels hold when plain sentences are written as people write."""

import random

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from emotion_udf.classifier.classifier import Classifier
from emotion_udf.training.data import LabelledTexts
from emotion_udf.training.noise import KINDS, Rewrite, rewrite

_SEED = 42


class Robustness(BaseModel):
    """What rewriting every sentence in one way does.

    Args:
        changed: The share of sentences that the rewriting changes.
        accuracy: The share whose most probable emotion is the right one afterwards.
        kept: The share whose label is the same as before.
    """

    changed: float
    accuracy: float
    kept: float


def measure_robustness(classifier: Classifier, labelled: LabelledTexts) -> dict[str, Robustness]:
    """Rewrite the sentences in each way of `noise`, and in several at once (`mixed`), and label them again."""
    labels, before = np.asarray(labelled.labels), _labels_given(classifier, labelled)
    found = {}
    for name, kind in {**KINDS, "mixed": rewrite}.items():
        rewritten = _rewritten(labelled, kind)
        after = _labels_given(classifier, rewritten)
        changed = sum(new != old for new, old in zip(rewritten.texts, labelled.texts, strict=True))
        found[name] = Robustness(
            changed=changed / len(labelled),
            accuracy=float((after == labels).mean()),
            kept=float((after == before).mean()),
        )
    return found


def _labels_given(classifier: Classifier, labelled: LabelledTexts) -> NDArray[np.intp]:
    given: NDArray[np.intp] = classifier.score(labelled.texts).probabilities.argmax(axis=1)
    return given


def _rewritten(labelled: LabelledTexts, kind: Rewrite) -> LabelledTexts:
    dice = random.Random(_SEED)  # noqa: S311 (a measurement needs no secrecy)
    pairs = zip(labelled.texts, labelled.labels, strict=True)
    return LabelledTexts([kind(text, label, dice) for text, label in pairs], labelled.labels)
