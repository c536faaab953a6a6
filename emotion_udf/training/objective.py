"""The training objective: cross-entropy with labels that may be smoothed, partial, or mixed with soft labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.labelled import CLASSES
from emotion_udf.training.labels import FITS, NEUTRAL, UNLABELLED


@dataclass(frozen=True)
class Targets:
    """Targets of N sentences over C outputs: the six emotions, or these and neutral.

    Attributes:
        soft: (N, C) probabilities of the cross-entropy.
        log_fits: (N, C) 0 where a partial label allows the output, else minus infinity; 0 for all other labels.
        is_partial: (N,) whether the loss is -log of the summed probability of what the label allows.
        weights: (N,) what each sentence counts.
    """

    soft: Tensor
    log_fits: Tensor
    is_partial: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> "Targets":
        """Return the same on a device."""
        return Targets(*(tensor.to(device) for tensor in (self.soft, self.log_fits, self.is_partial, self.weights)))

    def loss(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Return the mean loss, in nats, of the logits (B, C) of these rows (B,)."""
        log_probabilities = logits.float().log_softmax(dim=1)
        cross_entropy = -(self.soft[rows] * log_probabilities).sum(dim=1)
        of_set = -(log_probabilities + self.log_fits[rows]).logsumexp(dim=1)
        losses = torch.where(self.is_partial[rows], of_set, cross_entropy)
        return (self.weights[rows] * losses).mean()


def make_targets(
    labels: Sequence[int],
    smoothing: float = 0.0,
    *,
    outputs: int = len(EMOTIONS),
    weights: ArrayLike | None = None,
    teachers: Tensor | None = None,
    teacher_weights: ArrayLike = 1.0,
    teacher_temperature: float = 1.0,
    may_be_neutral: ArrayLike = True,
) -> Targets:
    """Return what sentences are to teach; all of them must be `teachable`.

    With six outputs, neutral means that all emotions are equally probable. A label that is a set trains the summed
    probability of its members, or, where there are teachers, what they think among those.

    Args:
        labels: N labels.
        smoothing: The probability spread evenly over all outputs.
        outputs: 6, or 7 for a network with an output for neutral.
        weights: (N,) what each sentence counts; by default 1.
        teachers: (N, 7) the teachers' mean probabilities of the six emotions and neutral; NaN where they say nothing.
        teacher_weights: (N,), or one for all: of the teachers against the labels.
        teacher_temperature: Of the teachers' probabilities among the emotions.
        may_be_neutral: (N,), or one for all: whether what teachers say of neutral counts.
    """
    numbers = torch.as_tensor(np.asarray(labels, dtype=np.int64))
    fits = torch.from_numpy(FITS)[numbers]  # (N, 7)
    is_set = numbers > NEUTRAL
    uniform = torch.full((1, outputs), 1 / outputs)
    certain = _over(outputs, fits / fits.sum(dim=1, keepdim=True))
    soft = torch.lerp(certain, uniform, smoothing)
    said = torch.zeros(len(numbers), dtype=torch.bool)
    if teachers is not None:
        allowed = torch.where(is_set[:, None], fits, True)
        allowed[:, NEUTRAL] &= torch.as_tensor(np.broadcast_to(may_be_neutral, len(numbers)).copy())
        opinion = _over(outputs, _sharpened(teachers * allowed, teacher_temperature))
        share = torch.as_tensor(np.broadcast_to(np.asarray(teacher_weights, dtype=np.float32), len(numbers)).copy())
        said = opinion.isfinite().all(dim=1) & (share > 0)
        share = torch.where(is_set, 1.0, share)[:, None]
        soft = torch.where(said[:, None], torch.lerp(soft, opinion.nan_to_num(), share), soft)
    is_partial = is_set & ~said
    excluded = is_partial[:, None] & ~fits[:, :outputs]
    log_fits = torch.zeros(excluded.shape).masked_fill(excluded, -torch.inf)
    counts = np.ones(len(numbers)) if weights is None else np.asarray(weights)
    return Targets(soft, log_fits, is_partial, torch.as_tensor(counts, dtype=torch.float32))


def teachable(labels: Sequence[int], outputs: int, teachers: Tensor | None = None) -> NDArray[np.bool_]:
    """Tell which of N sentences teach anything, (N,).

    Without a teacher's word an unlabelled sentence teaches nothing, and to six outputs neither does a label that allows
    an emotion as well as neutral.

    Args:
        labels: N labels.
        outputs: The network's outputs, 6 or 7.
        teachers: (N, 7) as in `make_targets`.
    """
    numbers = np.asarray(labels)
    open_labels = numbers == UNLABELLED
    if outputs == len(EMOTIONS):
        open_labels = (numbers > NEUTRAL) & FITS[numbers, NEUTRAL]
    decided = False if teachers is None else teachers.isfinite().all(dim=1).numpy()
    taught: NDArray[np.bool_] = ~open_labels | decided
    return taught


def fold_neutral(probabilities: Tensor) -> Tensor:
    """Spread the probability of neutral, (N, 7), evenly over the six emotions, (N, 6)."""
    emotions = probabilities[:, : len(EMOTIONS)]
    return emotions + probabilities[:, len(EMOTIONS) :].sum(dim=1, keepdim=True) / len(EMOTIONS)


def emotion_log_probabilities(logits: Tensor) -> Tensor:
    """Return the log-probabilities (N, 6) of logits over the six emotions, or these and neutral."""
    if logits.shape[1] < len(CLASSES):
        return F.log_softmax(logits.float(), dim=1)
    return fold_neutral(F.softmax(logits.float(), dim=1)).log()


def _sharpened(opinion: Tensor, temperature: float) -> Tensor:
    """Normalise what teachers say, (N, 7), and apply a temperature among the emotions; neutral keeps its share."""
    opinion = opinion / opinion.sum(dim=1, keepdim=True)
    neutral = opinion[:, NEUTRAL:]
    emotions = (opinion[:, :NEUTRAL].log() / temperature).softmax(dim=1) * (1 - neutral)
    return torch.cat([torch.where(neutral == 1, 0.0, emotions), neutral], dim=1)


def _over(outputs: int, probabilities: Tensor) -> Tensor:
    return probabilities if outputs == len(CLASSES) else fold_neutral(probabilities)
