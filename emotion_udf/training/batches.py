"""Tokenised sentences, and the order in which training sees them."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from emotion_udf.classifier.packing import LengthGroup, pack
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.training.augmentation import rewrite
from emotion_udf.training.labels import FITS, NEUTRAL, LabelledTexts

# Batches are cut from windows of this many batches sorted by length: rows of equal length attend together.
_WINDOW_BATCHES = 50


@dataclass(frozen=True)
class Encoded:
    """Token ids of labelled sentences, special tokens included."""

    token_ids: list[list[int]]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.labels)

    def pack(self, rows: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor, list[LengthGroup]]:
        """Return the network's inputs: token ids (T,), positions (T,) and runs."""
        token_ids, position_ids, runs = pack([self.token_ids[row] for row in rows])
        return token_ids.to(device, non_blocking=True), position_ids.to(device, non_blocking=True), runs


def encode(labelled: LabelledTexts, tokenizer: MessageTokenizer) -> Encoded:
    """Tokenise sentences."""
    return Encoded(tokenizer.encode(labelled.texts).token_ids, labelled.labels)


def draw_rows(per_epoch: ArrayLike, rng: random.Random) -> list[int]:
    """Return the rows that an epoch shows: each as often as the whole part says, and a sample for the rest.

    Args:
        per_epoch: (N,) how often each row is to be shown; rows of the same number are sampled together.
        rng: Where chance comes from.
    """
    counts = np.asarray(per_epoch, dtype=np.float64)
    rows = np.repeat(np.arange(len(counts)), counts.astype(int)).tolist()
    for count in np.unique(counts[counts % 1 > 0]):
        same = np.flatnonzero(counts == count).tolist()
        rows += sorted(rng.sample(same, round(len(same) * (count % 1))))
    return rows


def augment(labelled: LabelledTexts, rows: Sequence[int], share: float, rng: random.Random) -> dict[int, str]:
    """Rewrite a share of the sentences as people type (see `augmentation`).

    Args:
        labelled: All sentences.
        rows: Which of them an epoch shows.
        share: The probability that one is rewritten.
        rng: Where chance comes from.

    Returns:
        The new texts by their place in `rows`.
    """
    places = (place for place in range(len(rows)) if share and rng.random() < share)
    return {
        place: rewrite(labelled.texts[rows[place]], _emotion_of(labelled.labels[rows[place]], rng), rng)
        for place in places
    }


def _emotion_of(label: int, rng: random.Random) -> int:
    """Return an emotion that a label allows, so that an emoji can be chosen; `NEUTRAL` where it allows neutral."""
    if label <= NEUTRAL or FITS[label, NEUTRAL]:
        return min(label, NEUTRAL)
    return int(rng.choice(np.flatnonzero(FITS[label]).tolist()))


def shuffled_batches(encoded: Encoded, batch_size: int, rng: random.Random) -> Iterator[list[int]]:
    """Yield row indices: shuffled, sorted by length inside windows, and the batches of a window shuffled again."""
    rows = list(range(len(encoded)))
    rng.shuffle(rows)
    window = batch_size * _WINDOW_BATCHES
    for start in range(0, len(rows), window):
        batches = batches_by_length(encoded, rows[start : start + window], batch_size)
        rng.shuffle(batches)
        yield from batches


def batches_by_length(encoded: Encoded, rows: list[int], batch_size: int) -> list[list[int]]:
    """Cut rows of similar length into batches."""
    by_length = sorted(rows, key=lambda row: len(encoded.token_ids[row]))
    return [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]
