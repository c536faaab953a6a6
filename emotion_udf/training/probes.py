"""Measure a classifier on the project's own probe sentences (`emotion_udf/probes`)."""

import numpy as np
from pydantic import BaseModel

from emotion_udf.classifier.classifier import Classifier
from emotion_udf.emotions import EMOTIONS
from emotion_udf.probes import canary_sentences, neutral_sentences, review_messages, support_messages
from emotion_udf.settings.labelled import CLASSES
from emotion_udf.training.evaluate import predict
from emotion_udf.training.labels import LabelledTexts


def canary() -> LabelledTexts:
    """Return the canary sentences with their emotions."""
    found = canary_sentences()
    return LabelledTexts([text for text, _ in found], [EMOTIONS.index(emotion) for _, emotion in found])


def own_messages() -> dict[str, LabelledTexts]:
    """Return the reviews and the messages to a support desk that were written for this project, by set."""
    written = {"own reviews": review_messages(), "own support messages": support_messages()}
    return {
        name: LabelledTexts([text for text, _ in messages], [CLASSES.index(label) for _, label in messages])
        for name, messages in written.items()
    }


class Probes(BaseModel):
    """Labels and confidences on the two sets.

    Attributes:
        canary_accuracy: The share of canary sentences whose most probable emotion is the right one.
        neutral_set_aside: The share of neutral sentences whose label does not count as confident.
        neutral_sentences: How many of those there are.
    """

    canary_accuracy: float
    neutral_set_aside: float
    neutral_sentences: int


def measure_probes(classifier: Classifier) -> Probes:
    """Label both sets."""
    confidence = classifier.score(neutral_sentences()).probabilities.max(axis=1)
    threshold = np.float32(classifier.artifact.configuration.min_confidence)
    return Probes(
        canary_accuracy=float(predict(classifier, canary()).correct.mean()),
        neutral_set_aside=float((confidence < threshold).mean()),
        neutral_sentences=len(confidence),
    )
