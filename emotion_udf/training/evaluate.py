"""Metrics of a classifier on sentences that each have one emotion."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from scipy.stats import bootstrap
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.emotions import EMOTIONS
from emotion_udf.training.calibrate import expected_calibration_error, log_of, with_temperature
from emotion_udf.training.labels import FITS, NEUTRAL, LabelledTexts, fits

_WITH_INTERVALS = ("accuracy", "loss", "macro_f1", "weighted_f1")
_RESAMPLES = 2_000
_BATCH = 50
_LEVEL = 0.95
_SEED = 42


@dataclass(frozen=True)
class Predictions:
    """A classifier's probabilities for labelled sentences.

    Attributes:
        probabilities: (N, 6) float32.
        labels: (N,) the labels of `LabelledTexts`.
        token_counts: (N,) tokens of the whole text, special tokens included.
        is_truncated: (N,) whether only the beginning was read.
        unknown_tokens: (N,) how many of the tokens that were read the vocabulary does not have.
        seconds: Wall-clock time of scoring, tokenisation included.
    """

    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]
    token_counts: NDArray[np.int32]
    is_truncated: NDArray[np.bool_]
    unknown_tokens: NDArray[np.int32]
    seconds: float

    @property
    def predicted(self) -> NDArray[np.intp]:
        """The most probable emotion of each sentence, (N,)."""
        predicted: NDArray[np.intp] = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of each sentence's most probable emotion, (N,)."""
        confidence: NDArray[np.float32] = self.probabilities.max(axis=1)
        return confidence

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Marks sentences whose most probable emotion is right, or one that their label allows, (N,)."""
        return fits(self.labels, self.predicted)

    @property
    def losses(self) -> NDArray[np.float64]:
        """Cross-entropy of each sentence in nats, (N,): of what its label allows, or of all six for neutral."""
        allowed = FITS[self.labels, : len(EMOTIONS)]
        neutral = -log_of(self.probabilities).mean(axis=1)
        return np.where(self.labels == NEUTRAL, neutral, -log_of((self.probabilities * allowed).sum(axis=1)))

    def take(self, rows: NDArray[np.bool_]) -> "Predictions":
        """Return those of some sentences; the seconds are their share of all."""
        return Predictions(
            self.probabilities[rows],
            self.labels[rows],
            self.token_counts[rows],
            self.is_truncated[rows],
            self.unknown_tokens[rows],
            self.seconds * float(rows.mean()) if len(rows) else 0.0,
        )


class Interval(BaseModel):
    """A 95 % confidence interval, from resampling the sentences."""

    low: float
    high: float


class EmotionMetrics(BaseModel):
    """Metrics of one emotion."""

    precision: float
    recall: float
    f1: float
    support: int


class CalibrationError(BaseModel):
    """Expected calibration error, before and after temperature scaling."""

    before: float
    after: float


class Metrics(BaseModel):
    """Metrics over some sentences, as `metrics.json` has them.

    Attributes:
        sentences: How many there are.
        accuracy: The share whose most probable emotion is the right one.
        loss: Mean cross-entropy, in nats.
        macro_f1: The mean F1 of the emotions that sentences have.
        weighted_f1: The same, weighted by how many sentences an emotion has.
        intervals: Of the four metrics above.
        emotions: Metrics of each emotion.
        confusion: (6, 6) counts; rows are right labels, columns given ones, both in the order of `EMOTIONS`.
        temperature: The divisor of the logits; 1 where nothing was fitted.
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
    emotions: dict[str, EmotionMetrics]
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
    return Predictions(
        scores.probabilities,
        np.asarray(labelled.labels, dtype=np.int64),
        scores.token_counts,
        scores.is_truncated,
        scores.unknown_counts,
        seconds,
    )


def metrics_of(predictions: Predictions, configuration: ModelConfig, fitted: float | None = None) -> Metrics:
    """Compare predictions with the labels.

    Args:
        predictions: Of N sentences that each have one emotion.
        configuration: The classifier's: its weights may hold a temperature already, and it may have a threshold.
        fitted: The temperature to scale by where it has none.
    """
    stored = configuration.temperature
    min_confidence = configuration.min_confidence
    probabilities = predictions.probabilities
    labels = predictions.labels
    predicted = predictions.predicted
    raw = with_temperature(probabilities, 1 / stored) if stored else probabilities
    scaled = with_temperature(probabilities, fitted) if fitted and not stored else probabilities
    confident = predictions.confidence >= np.float32(min_confidence)
    read = np.minimum(predictions.token_counts, configuration.max_position_embeddings)
    values = _metrics(labels, predicted, predictions.losses, axis=-1)
    return Metrics(
        sentences=len(labels),
        **dict(zip(_WITH_INTERVALS, map(float, values), strict=True)),
        intervals=_intervals(labels, predicted, predictions.losses),
        emotions=_by_emotion(labels, predicted),
        confusion=confusion_of(labels, predicted),
        temperature=stored or fitted or 1.0,
        expected_calibration_error=CalibrationError(
            before=expected_calibration_error(raw, labels), after=expected_calibration_error(scaled, labels)
        ),
        min_confidence=min_confidence,
        confident_share=float(confident.mean()),
        confident_accuracy=float(predictions.correct[confident].mean()) if confident.any() else None,
        truncated_share=float(predictions.is_truncated.mean()),
        unknown_token_share=int(predictions.unknown_tokens.sum()) / int(read.sum()),
        samples_per_s=len(labels) / predictions.seconds,
    )


def confusion_of(labels: NDArray[np.int64], predicted: NDArray[np.intp]) -> list[list[int]]:
    """Return counts (6, 6): rows are right labels, columns given ones."""
    size = len(EMOTIONS)
    if not len(labels):  # scikit-learn has none of nothing
        return [[0] * size for _ in range(size)]
    counts: list[list[int]] = confusion_matrix(labels, predicted, labels=range(size)).tolist()
    return counts


def _by_emotion(labels: NDArray[np.int64], predicted: NDArray[np.intp]) -> dict[str, EmotionMetrics]:
    columns = precision_recall_fscore_support(labels, predicted, labels=range(len(EMOTIONS)), zero_division=0)
    return {
        emotion: EmotionMetrics(precision=precision, recall=recall, f1=f1, support=support)
        for emotion, precision, recall, f1, support in zip(EMOTIONS, *columns, strict=True)
    }


def _metrics(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], losses: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    """Return the metrics of `_WITH_INTERVALS`, (4, ...), over the last axis.

    The same as scikit-learn's, for many resamples at once: the bootstrap asks for 2,000.
    """
    size = len(EMOTIONS)
    cells = np.asarray(labels, dtype=np.int64) * size + np.asarray(predicted, dtype=np.int64)
    samples = cells.reshape(-1, cells.shape[axis])
    offset = np.arange(len(samples))[:, None] * size * size
    confusion = np.bincount((samples + offset).ravel(), minlength=len(samples) * size * size)
    confusion = confusion.reshape(*cells.shape[:-1], size, size)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support = confusion.sum(axis=-1)
    f1 = 2 * hits / np.maximum(support + confusion.sum(axis=-2), 1)
    sentences = support.sum(axis=-1)
    return np.stack(
        [
            hits.sum(axis=-1) / sentences,
            np.mean(losses, axis=axis),
            (f1 * (support > 0)).sum(axis=-1) / (support > 0).sum(axis=-1),
            (f1 * support).sum(axis=-1) / sentences,
        ]
    )


def _intervals(
    labels: NDArray[np.int64], predicted: NDArray[np.intp], losses: NDArray[np.float64]
) -> dict[str, Interval]:
    """Return a percentile bootstrap interval of each metric; of one sentence, the metric itself."""
    if len(labels) == 1:
        low = high = _metrics(labels, predicted, losses, axis=-1)
    else:
        low, high = bootstrap(
            (labels, predicted, losses),
            _metrics,
            paired=True,
            vectorized=True,
            method="percentile",
            n_resamples=_RESAMPLES,
            batch=_BATCH,
            confidence_level=_LEVEL,
            rng=np.random.default_rng(_SEED),
        ).confidence_interval
    return {
        name: Interval(low=float(lowest), high=float(highest))
        for name, lowest, highest in zip(_WITH_INTERVALS, low, high, strict=True)
    }
