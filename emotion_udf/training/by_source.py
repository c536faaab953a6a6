"""A classifier measured on each labelled set by itself: reports, cards and dashboards are made from this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from scipy.stats import binomtest

from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.settings.labelled import Split
from emotion_udf.training.evaluate import Metrics, Predictions, confusion_of, metrics_of, predict
from emotion_udf.training.labels import FITS, NEUTRAL, LabelledTexts

_LONGEST = (8, 16, 32, 64, 128)


class Share(BaseModel):
    """A count as a share of another, with the 95 % interval of Wilson (1927).

    Attributes:
        count: How many.
        of: Of how many.
        share: The quotient; null where there are none.
        low: The lower end of the interval.
        high: The upper end.
    """

    count: int
    of: int
    share: float | None
    low: float
    high: float


class Judged(BaseModel):
    """Counts of right labels and of confident ones.

    Attributes:
        correct: Labels that are right, or fit a partial label.
        confident: Labels that count as confident.
        confident_correct: Confident labels that are right.
    """

    correct: Share
    confident: Share
    confident_correct: Share


class LengthMetrics(BaseModel):
    """Sentences of similar length.

    Attributes:
        longest: Tokens of the longest, special tokens included; null for the last group, which has no end.
        correct: Labels that are right, or fit a partial label.
        truncated: Sentences of which only the beginning was read.
    """

    longest: int | None
    correct: Share
    truncated: int


class SetMetrics(BaseModel):
    """Metrics of one split of one source.

    Attributes:
        source: Its name.
        split: Which of its splits.
        emotions: Metrics of the sentences that have one emotion; null where there are none.
        judged: The same sentences, counted, with intervals.
        confident_confusion: (6, 6) counts of the confident labels among them.
        signs: The sentences of which only a set of emotions is known, such as those of a positive sentiment.
        neutral: Neutral sentences whose label counts as confident.
        lengths: Sentences with an emotion or a sign, by length.
    """

    source: str
    split: Split
    emotions: Metrics | None
    judged: Judged | None
    confident_confusion: list[list[int]] | None
    signs: Judged | None
    neutral: Share | None
    lengths: list[LengthMetrics]


@dataclass(frozen=True)
class MeasuredSet:
    """A set with its predictions, for whoever wants to look at single sentences.

    Attributes:
        metrics: What was measured.
        labelled: The sentences.
        predictions: In the same order.
    """

    metrics: SetMetrics
    labelled: LabelledTexts
    predictions: Predictions


def measure_set(
    classifier: Classifier, source: str, split: Split, labelled: LabelledTexts, fitted: float | None = None
) -> MeasuredSet:
    """Score the sentences of a split and compare.

    Args:
        classifier: The classifier.
        source: The name of the set.
        split: Which split it is.
        labelled: Its sentences.
        fitted: A temperature, for a classifier that has none.
    """
    predictions = predict(classifier, labelled)
    return MeasuredSet(
        set_metrics(predictions, classifier.artifact.configuration, source, split, fitted), labelled, predictions
    )


def set_metrics(
    predictions: Predictions, configuration: ModelConfig, source: str, split: Split, fitted: float | None = None
) -> SetMetrics:
    """Compare predictions with labels of any sort: emotions, neutral, and sets of emotions.

    Args:
        predictions: Of the split's sentences.
        configuration: The classifier's.
        source: The name of the set.
        split: Which split it is.
        fitted: A temperature, for a classifier that has none.
    """
    threshold = configuration.min_confidence
    one = predictions.take(predictions.labels < NEUTRAL)
    neutral = predictions.take(predictions.labels == NEUTRAL)
    signs = predictions.take((predictions.labels > NEUTRAL) & ~FITS[predictions.labels, NEUTRAL])
    confident = one.take(_confident(one, threshold))
    some = len(one.labels) > 0
    return SetMetrics(
        source=source,
        split=split,
        emotions=metrics_of(one, configuration, fitted) if some else None,
        judged=_judged(one, threshold) if some else None,
        confident_confusion=confusion_of(confident.labels, confident.predicted) if some else None,
        signs=_judged(signs, threshold) if len(signs.labels) else None,
        neutral=share_of(_confident(neutral, threshold)) if len(neutral.labels) else None,
        lengths=_by_length(predictions.take(~FITS[predictions.labels, NEUTRAL])),
    )


def share_of(chosen: NDArray[np.bool_]) -> Share:
    """Count what was chosen; of nothing, the interval is everything."""
    count = int(chosen.sum())
    of = len(chosen)
    if not of:
        return Share(count=0, of=0, share=None, low=0.0, high=1.0)
    interval = binomtest(count, of).proportion_ci(method="wilson")
    return Share(count=count, of=of, share=count / of, low=float(interval.low), high=float(interval.high))


def _confident(predictions: Predictions, threshold: float) -> NDArray[np.bool_]:
    confident: NDArray[np.bool_] = predictions.confidence >= np.float32(threshold)
    return confident


def _judged(predictions: Predictions, threshold: float) -> Judged:
    confident = _confident(predictions, threshold)
    return Judged(
        correct=share_of(predictions.correct),
        confident=share_of(confident),
        confident_correct=share_of(predictions.correct[confident]),
    )


def _by_length(predictions: Predictions) -> list[LengthMetrics]:
    """Group sentences by their tokens; groups without a sentence are left out."""
    group = np.searchsorted(_LONGEST, predictions.token_counts)
    return [
        LengthMetrics(
            longest=_LONGEST[number] if number < len(_LONGEST) else None,
            correct=share_of(predictions.correct[group == number]),
            truncated=int(predictions.is_truncated[group == number].sum()),
        )
        for number in np.unique(group)
    ]


def table_of(sets: Sequence[SetMetrics]) -> list[list[str]]:
    """Return one table over all sets, its head first; a set that has both emotions and signs has two rows."""
    head = [
        "set",
        "split",
        "sentences",
        "correct",
        "macro F1",
        "confident",
        "correct of those",
        "ECE",
        "neutral confident",
    ]
    rows = []
    for one in sets:
        neutral = _percent(one.neutral)
        if one.emotions and one.judged:
            error = one.emotions.expected_calibration_error.after
            f1 = f"{one.emotions.macro_f1:.3f}"
            rows.append([one.source, one.split, *_cells(one.judged, f1), f"{100 * error:.1f} %", neutral])
            neutral = "–"
        if one.signs:
            rows.append([f"{one.source} (sign)", one.split, *_cells(one.signs, "–"), "–", neutral])
        elif not one.emotions:
            rows.append([one.source, one.split, *["–"] * 6, neutral])
    return [head, *rows]


def lengths_table(sets: Sequence[SetMetrics]) -> list[list[str]]:
    """Return the share of correct labels by length, its head first."""
    longest = [*_LONGEST, None]
    head = ["set", "split", *(f"to {tokens} tokens" if tokens else "longer" for tokens in longest), "truncated"]
    rows = []
    for one in sets:
        found: Mapping[int | None, LengthMetrics] = {group.longest: group for group in one.lengths}
        shares = (_percent(found[tokens].correct, of=True) if tokens in found else "–" for tokens in longest)
        rows.append([one.source, one.split, *shares, str(sum(group.truncated for group in one.lengths))])
    return [head, *rows]


def _cells(judged: Judged, f1: str) -> list[str]:
    shares = (judged.correct, judged.confident, judged.confident_correct)
    correct, confident, confident_correct = map(_percent, shares)
    return [str(judged.correct.of), correct, f1, confident, confident_correct]


def _percent(share: Share | None, of: bool = False) -> str:
    if share is None or share.share is None:
        return "–"
    return f"{100 * share.share:.1f} %" + (f" of {share.of}" if of else "")
