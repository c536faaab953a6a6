"""Robustness of labels to sentences rewritten as people type."""

import random

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from emotion_udf.classifier.classifier import Classifier
from emotion_udf.training.augmentation import REWRITES, Rewrite, rewrite
from emotion_udf.training.labels import LabelledTexts

_SEED = 42


class Robustness(BaseModel):
    """The effect of rewriting every sentence in one way.

    Attributes:
        changed: The share of sentences that the rewriting changes.
        accuracy: The share whose most probable emotion is the right one afterwards.
        kept: The share whose label is the same as before.
    """

    changed: float
    accuracy: float
    kept: float


def measure_robustness(classifier: Classifier, labelled: LabelledTexts) -> dict[str, Robustness]:
    """Rewrite the sentences in each way of `augmentation`, and in several at once (`mixed`), and label them again."""
    labels = np.asarray(labelled.labels)
    before = _labels_given(classifier, labelled)
    found = {}
    for name, way in {**REWRITES, "mixed": rewrite}.items():
        rewritten = _rewritten(labelled, way)
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


def _rewritten(labelled: LabelledTexts, way: Rewrite) -> LabelledTexts:
    rng = random.Random(_SEED)  # noqa: S311 (a measurement needs no secrecy)
    pairs = zip(labelled.texts, labelled.labels, strict=True)
    return LabelledTexts([way(text, label, rng) for text, label in pairs], labelled.labels)
