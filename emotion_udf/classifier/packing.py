"""Rows of token ids -> one packed batch, in which they lie end to end and nothing is padded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class LengthGroup:
    """Neighbouring rows of equal length in a packed batch.

    Attributes:
        start: Index of its first token in the packed batch.
        rows: Number of rows.
        length: Tokens of each row.
    """

    start: int
    rows: int
    length: int

    @property
    def span(self) -> slice:
        """The places of its tokens in the packed batch."""
        return slice(self.start, self.start + self.rows * self.length)


def find_groups(lengths: Sequence[int]) -> list[LengthGroup]:
    """Group neighbouring rows of equal length."""
    groups = []
    start = 0
    for length, equal in groupby(lengths):
        rows = len(list(equal))
        groups.append(LengthGroup(start, rows, length))
        start += rows * length
    return groups


def row_starts(groups: Sequence[LengthGroup]) -> NDArray[np.int64]:
    """Return the index of each row's first token in the packed batch, (B,)."""
    return np.concatenate([np.arange(group.start, group.span.stop, group.length) for group in groups])


def pack(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, list[LengthGroup]]:
    """Lay rows of token ids end to end.

    Returns:
        Token ids (T,), each token's position in its row (T,), and the groups of equal length.
    """
    lengths = [len(row) for row in rows]
    ends = np.cumsum(lengths, dtype=np.int64)
    tokens = int(ends[-1])
    token_ids = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=tokens)
    position_ids = np.arange(tokens) - np.repeat(ends - lengths, lengths)  # (T,), from 0 in each row
    return torch.from_numpy(token_ids), torch.from_numpy(position_ids), find_groups(lengths)
