"""Confidence that can be taken at its word: a temperature, and the threshold of `is_confident`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from emotion_udf.classifier.distilbert import DistilBert

_BINS = 15
_LOG_TEMPERATURES = (-5.0, 5.0)


def fit_temperature(
    log_probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    weights: NDArray[np.floating] | None = None,
) -> float:
    """Return the temperature that makes the loss smallest (Guo et al., On Calibration of Modern Neural Networks, 2017).

    Args:
        log_probabilities: (N, 6), or logits: a constant in a row changes nothing.
        labels: (N,) indices into `EMOTIONS`.
        weights: (N,) what each sentence counts; by default the same.
    """
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:  # of the logarithm, so that every temperature is positive
        losses = -log_softmax(log_probabilities / np.exp(log_temperature), axis=1)[rows, labels]
        return float(np.average(losses, weights=weights))

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded").x))


def fold_in(network: DistilBert, temperature: float) -> None:
    """Divide the network's logits by a temperature, by way of its last layer.

    So whatever runs the weights, stock transformers included, gives the calibrated probabilities, and the same labels.
    """
    with torch.no_grad():
        network.classifier.weight.div_(temperature)
        network.classifier.bias.div_(temperature)


def with_temperature(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return the probabilities (N, 6) that a temperature makes of others."""
    scaled: NDArray[np.float64] = softmax(log_of(probabilities) / temperature, axis=1)
    return scaled


def log_of(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return natural logarithms; a probability that fp32 rounded to 0 counts as the smallest that it has."""
    logarithms: NDArray[np.float64] = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
    return logarithms


def expected_calibration_error(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean distance of confidence from accuracy over 15 bins of equal width (ECE)."""
    gaps = [count * abs(confidence - accuracy) for confidence, accuracy, count in reliability(probabilities, labels)]
    return sum(gaps) / len(labels)


def reliability(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> list[tuple[float, float, int]]:
    """Return mean confidence, accuracy and sentences of each bin of confidence that is not empty."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        (float(confidence[bins == b].mean()), float(correct[bins == b].mean()), int((bins == b).sum()))
        for b in np.unique(bins)
    ]


@dataclass(frozen=True)
class Demand:
    """A demand on the threshold, made by one source.

    Attributes:
        confidence: (N,) of the labels given to its sentences.
        correct: (N,) whether they are right.
        accuracy: The share of the confident labels that must be right; 0 for neutral sentences, of which none is.
        max_share: The largest share of the sentences that may be confident.
    """

    confidence: NDArray[np.floating]
    correct: NDArray[np.bool_]
    accuracy: float
    max_share: float = 1.0

    def holds(self, threshold: float) -> bool:
        """Tell whether labels of this confidence or more are as often right, and no more of them than allowed."""
        kept = self.confidence >= np.float32(threshold)  # as `is_confident` compares
        if kept.mean() > self.max_share:
            return False
        return not self.accuracy or (bool(kept.any()) and float(self.correct[kept].mean()) >= self.accuracy)


def lowest_threshold(demands: Sequence[Demand]) -> float:
    """Return the lowest confidence at which every demand holds, rounded up to a thousandth.

    Returns 1 where no confidence is enough.
    """
    for threshold in np.arange(0.0, 1.0, 0.001).round(3):
        if all(demand.holds(threshold) for demand in demands):
            return float(threshold)
    return 1.0
