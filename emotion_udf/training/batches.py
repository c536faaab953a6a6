"""Tokenised sentences, and the order in which training sees them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from emotion_udf.classifier.packing import Run, pack
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.training.augmentation import rewrite
from emotion_udf.training.data import LabelledTexts

# Batches are cut from windows of this many batches sorted by length: rows of equal length attend together.
_WINDOW_BATCHES = 50


@dataclass(frozen=True)
class Encoded:
    """Token ids of labelled sentences, special tokens included."""

    token_ids: list[list[int]]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.labels)

    def pack(self, rows: list[int], device: torch.device) -> tuple[Tensor, Tensor, list[Run]]:
        """Return what the network takes: token ids (T,), positions (T,) and runs."""
        token_ids, position_ids, runs = pack([self.token_ids[row] for row in rows])
        return token_ids.to(device), position_ids.to(device), runs


def encode(labelled: LabelledTexts, tokenizer: MessageTokenizer) -> Encoded:
    """Tokenise sentences."""
    return Encoded(tokenizer.encode(labelled.texts).token_ids, labelled.labels)


def augment(labelled: LabelledTexts, share: float, rng: random.Random) -> LabelledTexts:
    """Rewrite a share of the sentences as people type (see `augmentation`)."""
    texts = [
        rewrite(text, label, rng) if rng.random() < share else text
        for text, label in zip(labelled.texts, labelled.labels, strict=True)
    ]
    return LabelledTexts(texts, labelled.labels)


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
