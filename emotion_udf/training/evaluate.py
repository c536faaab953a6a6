"""How well a classifier labels labelled sentences."""

from dataclasses import dataclass

import numpy as np

from emotion_udf.classifier.classifier import Classifier
from emotion_udf.training.data import LabelledTexts


@dataclass(frozen=True)
class Evaluation:
    """Figures over some sentences.

    Args:
        sentences: How many there were.
        accuracy: The share whose most probable emotion is the right one.
        loss: Mean cross-entropy, in nats.
    """

    sentences: int
    accuracy: float
    loss: float


def evaluate(classifier: Classifier, labelled: LabelledTexts) -> Evaluation:
    """Score the sentences as the nightly job would, and compare."""
    probabilities = classifier.score(labelled.texts).probabilities  # (N, 6)
    labels = np.asarray(labelled.labels)
    of_the_right_one = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return Evaluation(
        sentences=len(labels),
        accuracy=float((probabilities.argmax(axis=1) == labels).mean()),
        loss=float(-np.log(of_the_right_one).mean()),
    )
