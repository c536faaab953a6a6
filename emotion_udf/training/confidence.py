"""The temperature and the threshold of `is_confident`, chosen on the validation sentences of all sources."""

import numpy as np
from numpy.typing import NDArray

from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.settings.training import ConfidenceSettings
from emotion_udf.training.batches import encode
from emotion_udf.training.calibrate import Demand, fit_temperature, fold_in, lowest_threshold
from emotion_udf.training.data import Corpus
from emotion_udf.training.labels import FITS, NEUTRAL, fits
from emotion_udf.training.validation import logits_of


def calibrate(
    network: DistilBert, corpus: Corpus, tokenizer: MessageTokenizer, settings: ConfidenceSettings
) -> dict[str, float]:
    """Fold a temperature into the network, and choose the threshold.

    Every source counts the same for the temperature, however many sentences it has.

    Returns:
        The values of `config.json`: temperature and min_confidence.
    """
    labels = {name: np.array(labelled.labels) for name, labelled in corpus.held_out("validation").items()}
    logits = {
        name: logits_of(network, encode(labelled, tokenizer)).numpy()
        for name, labelled in corpus.held_out("validation").items()
    }
    one = {name: found < NEUTRAL for name, found in labels.items()}
    counts = {name: np.full(rows.sum(), 1 / max(1, rows.sum())) for name, rows in one.items()}
    temperature = fit_temperature(
        np.concatenate([logits[name][rows] for name, rows in one.items()]),
        np.concatenate([labels[name][rows] for name, rows in one.items()]),
        np.concatenate(list(counts.values())),
    )
    fold_in(network, temperature)
    wanted = {source.name: source.settings.confident_accuracy or settings.accuracy for source in corpus.sources}
    demands = [
        demand
        for name, found in logits.items()
        for demand in _demands(found / temperature, labels[name], wanted[name], settings.max_neutral)
    ]
    return {"temperature": temperature, "min_confidence": lowest_threshold(demands)}


def _demands(
    logits: NDArray[np.floating], labels: NDArray[np.integer], accuracy: float, max_neutral: float
) -> list[Demand]:
    """Return what the threshold has to hold on a source: accuracy where something is right, and few neutral ones."""
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    confidence = probabilities.max(axis=1)
    correct = fits(labels, probabilities.argmax(axis=1))
    judged = ~FITS[labels, NEUTRAL]
    neutral = labels == NEUTRAL
    found = []
    if judged.any():
        found.append(Demand(confidence[judged], correct[judged], accuracy))
    if neutral.any():
        found.append(Demand(confidence[neutral], correct[neutral], 0.0, max_neutral))
    return found
