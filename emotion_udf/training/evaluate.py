"""How well a classifier labels labelled sentences, in figures."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from scipy.stats import bootstrap

from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.configuration import Configuration
from emotion_udf.emotions import EMOTIONS
from emotion_udf.training.calibrate import expected_calibration_error, log_of, with_temperature
from emotion_udf.training.data import LabelledTexts

_FIGURES = ("accuracy", "loss", "macro_f1", "weighted_f1")
_RESAMPLES = 2_000
_LEVEL = 0.95
_SEED = 42


@dataclass(frozen=True)
class Predictions:
    """What a classifier says of labelled sentences.

    Args:
        probabilities: (N, 6) float32.
        labels: (N,) the right ones.
        token_counts: (N,) tokens of the whole text, special tokens included.
        is_truncated: (N,) whether only the beginning was read.
        unknown_tokens: How many of the tokens that were read the vocabulary does not have.
        seconds: Wall-clock time of scoring, tokenisation included.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    token_counts: NDArray[np.int32]
    is_truncated: NDArray[np.bool_]
    unknown_tokens: int
    seconds: float

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each sentence's most probable emotion is the right one, (N,)."""
        hits: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.labels
        return hits

    @property
    def losses(self) -> NDArray[np.float64]:
        """Cross-entropy of each sentence, in nats, (N,)."""
        return -log_of(self.probabilities[np.arange(len(self.labels)), self.labels])


class Interval(BaseModel):
    """A 95 % confidence interval, from resampling the sentences."""

    low: float
    high: float


class EmotionFigures(BaseModel):
    """Figures of one emotion."""

    precision: float
    recall: float
    f1: float
    support: int


class CalibrationError(BaseModel):
    """Expected calibration error, before and after temperature scaling."""

    before: float
    after: float


class Metrics(BaseModel):
    """Figures over some sentences, as `metrics.json` has them.

    Args:
        sentences: How many there are.
        accuracy: The share whose most probable emotion is the right one.
        loss: Mean cross-entropy, in nats.
        macro_f1: The mean of the emotions' F1.
        weighted_f1: The same, weighted by how many sentences an emotion has.
        intervals: Of the four figures above.
        emotions: Figures of each emotion.
        confusion: (6, 6) counts; rows are right labels, columns given ones, both in the order of `EMOTIONS`.
        temperature: What logits are divided by; 1 where nothing was fitted.
        expected_calibration_error: The mean distance of confidence from accuracy, before and after that.
        min_confidence: The threshold of `is_confident`.
        confident_share: The share of sentences that reach it.
        confident_accuracy: The accuracy of those; null when there are none.
        truncated_share: The share of sentences that are longer than the model reads.
        unknown_token_share: The share of the tokens read that the vocabulary does not have.
        samples_per_s: Sentences scored a second, tokenisation included.
    """

    sentences: int
    accuracy: float
    loss: float
    macro_f1: float
    weighted_f1: float
    intervals: dict[str, Interval]
    emotions: dict[str, EmotionFigures]
    confusion: list[list[int]]
    temperature: float
    expected_calibration_error: CalibrationError
    min_confidence: float
    confident_share: float
    confident_accuracy: float | None
    truncated_share: float
    unknown_token_share: float
    samples_per_s: float


def predict(classifier: Classifier, labelled: LabelledTexts) -> Predictions:
    """Score sentences as the nightly job would."""
    started = time.perf_counter()
    scores = classifier.score(labelled.texts)
    seconds = time.perf_counter() - started
    tokenizer = classifier.tokenizer
    return Predictions(
        scores.probabilities,
        np.asarray(labelled.labels, dtype=np.int64),
        scores.token_counts,
        scores.is_truncated,
        sum(token == tokenizer.unknown_id for ids in tokenizer.encode(labelled.texts).token_ids for token in ids),
        seconds,
    )


def metrics_of(predictions: Predictions, configuration: Configuration, fitted: float | None = None) -> Metrics:
    """Compare predictions with the labels.

    Args:
        predictions: Of N sentences.
        configuration: The classifier's: its weights may hold a temperature already, and it may have a threshold.
        fitted: The temperature to scale by where it has none.
    """
    stored, min_confidence = configuration.temperature, configuration.confident_from
    probabilities, labels = predictions.probabilities, predictions.labels
    raw = with_temperature(probabilities, 1 / stored) if stored else probabilities
    scaled = with_temperature(probabilities, fitted) if fitted and not stored else probabilities
    predicted = probabilities.argmax(axis=1)
    confident = probabilities.max(axis=1) >= np.float32(min_confidence)
    read = np.minimum(predictions.token_counts, configuration.max_position_embeddings)
    confusion = _confusion(labels, predicted)
    hits, support, given, f1 = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0), _f1(confusion)
    return Metrics(
        sentences=len(labels),
        **dict(zip(_FIGURES, _figures(labels, predicted, predictions.losses), strict=True)),
        intervals=_intervals(labels, predicted, predictions.losses),
        emotions={
            emotion: EmotionFigures(
                precision=hits[i] / max(1, given[i]),
                recall=hits[i] / max(1, support[i]),
                f1=f1[i],
                support=support[i],
            )
            for i, emotion in enumerate(EMOTIONS)
        },
        confusion=confusion.tolist(),
        temperature=stored or fitted or 1.0,
        expected_calibration_error=CalibrationError(
            before=expected_calibration_error(raw, labels), after=expected_calibration_error(scaled, labels)
        ),
        min_confidence=min_confidence,
        confident_share=float(confident.mean()),
        confident_accuracy=float(predictions.correct[confident].mean()) if confident.any() else None,
        truncated_share=float(predictions.is_truncated.mean()),
        unknown_token_share=predictions.unknown_tokens / int(read.sum()),
        samples_per_s=len(labels) / predictions.seconds,
    )


def _confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return counts (6, 6): rows are right labels, columns given ones."""
    size = len(EMOTIONS)
    pairs = (labels * size + predicted).astype(np.int64)  # scipy's bootstrap hands on floats
    return np.bincount(pairs, minlength=size * size).reshape(size, size)


def _f1(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the F1 of each emotion, (6,); 0 for one that nothing is and nothing was called."""
    f1: NDArray[np.float64] = 2 * confusion.diagonal() / np.maximum(confusion.sum(axis=0) + confusion.sum(axis=1), 1)
    return f1


def _figures(labels: NDArray[np.int64], predicted: NDArray[np.int64], losses: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the figures named in `_FIGURES`."""
    confusion = _confusion(labels, predicted)
    f1 = _f1(confusion)
    return (
        float((labels == predicted).mean()),
        float(losses.mean()),
        float(f1.mean()),
        float(np.average(f1, weights=confusion.sum(axis=1))),
    )


def _intervals(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], losses: NDArray[np.float64]
) -> dict[str, Interval]:
    """Return a percentile bootstrap interval of each figure; of one sentence, the figure itself."""
    if len(labels) == 1:
        alone = _figures(labels, predicted, losses)
        return {name: Interval(low=value, high=value) for name, value in zip(_FIGURES, alone, strict=True)}
    found = bootstrap(
        (labels, predicted, losses),
        _figures,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=_RESAMPLES,
        confidence_level=_LEVEL,
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return {
        name: Interval(low=float(low), high=float(high))
        for name, low, high in zip(_FIGURES, found.low, found.high, strict=True)
    }
