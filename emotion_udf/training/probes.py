"""Two small sets of sentences written for this project, which measure what dair-ai/emotion cannot.

- `canary.txt`: 20 plain sentences an emotion, half of them as people type; any sane classifier of the six is right.
- `neutral.txt`: sentences without a feeling. There is no right label; a useful confidence sets them aside.
"""

import numpy as np
from pydantic import BaseModel

from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.parity import PROBES
from emotion_udf.training.data import LabelledTexts, read_text_file
from emotion_udf.training.evaluate import predict


def canary() -> LabelledTexts:
    """Return the canary sentences with their emotions."""
    return read_text_file(PROBES / "canary.txt")


def neutral() -> list[str]:
    """Return the sentences without a feeling."""
    return (PROBES / "neutral.txt").read_text(encoding="utf-8").splitlines()


class Probes(BaseModel):
    """What the two sets say of a classifier.

    Args:
        canary_accuracy: The share of canary sentences whose most probable emotion is the right one.
        neutral_set_aside: The share of neutral sentences whose label does not count as confident.
        neutral_sentences: How many of those there are.
    """

    canary_accuracy: float
    neutral_set_aside: float
    neutral_sentences: int


def measure_probes(classifier: Classifier) -> Probes:
    """Label both sets."""
    confidence = classifier.score(neutral()).probabilities.max(axis=1)
    threshold = np.float32(classifier.artifact.configuration.confident_from)
    return Probes(
        canary_accuracy=float(predict(classifier, canary()).right.mean()),
        neutral_set_aside=float((confidence < threshold).mean()),
        neutral_sentences=len(confidence),
    )
