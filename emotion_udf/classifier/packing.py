"""Rows of token ids -> one packed batch, in which they lie end to end and nothing is padded."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Run:
    """`rows` neighbouring rows of `length` tokens each, whose tokens start at `start` of the packed batch."""

    start: int
    rows: int
    length: int

    @property
    def span(self) -> slice:
        """Where its tokens lie in the packed batch."""
        return slice(self.start, self.start + self.rows * self.length)


def find_runs(lengths: Sequence[int]) -> list[Run]:
    """Group neighbouring rows of equal length."""
    runs, start = [], 0
    for length, group in groupby(lengths):
        rows = len(list(group))
        runs.append(Run(start, rows, length))
        start += rows * length
    return runs


def row_starts(runs: Sequence[Run]) -> NDArray[np.int64]:
    """Return where each of B rows starts in the packed batch, (B,)."""
    return np.concatenate([np.arange(run.start, run.span.stop, run.length) for run in runs])


def pack(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, list[Run]]:
    """Lay rows of token ids end to end.

    Returns:
        Token ids (T,), each token's place in its row (T,), and the runs of equal length.
    """
    lengths = [len(row) for row in rows]
    ends = np.cumsum(lengths, dtype=np.int64)
    tokens = int(ends[-1])
    token_ids = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=tokens)
    position_ids = np.arange(tokens) - np.repeat(ends - lengths, lengths)
    return torch.from_numpy(token_ids), torch.from_numpy(position_ids), find_runs(lengths)
