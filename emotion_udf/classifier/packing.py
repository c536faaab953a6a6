"""Rows of token ids -> one packed batch, in which they lie end to end and nothing is padded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class TokenRows:
    """Rows of token ids in one array, so that the work for a row is numpy's.

    Attributes:
        ids: (T,) int32, the token ids of all rows, end to end.
        lengths: (N,) int64, the tokens of each row.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Iterable[Sequence[int]]) -> Self:
        """Return the same rows, given as N sequences."""
        rows = list(rows)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        return cls(np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: slice) -> Self:
        """Return neighbouring rows."""
        ends = np.concatenate([[0], np.cumsum(self.lengths)])
        first, end, _ = rows.indices(len(self))
        return type(self)(self.ids[ends[first] : ends[end]], self.lengths[first:end])

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Return the rows of these numbers, in this order."""
        lengths = self.lengths[rows]
        starts = np.cumsum(self.lengths) - self.lengths  # (N,)
        moved_by = starts[rows] - (np.cumsum(lengths) - lengths)
        return type(self)(self.ids[np.arange(lengths.sum()) + np.repeat(moved_by, lengths)], lengths)

    def to_lists(self) -> list[list[int]]:
        """Return the rows as N lists."""
        return [row.tolist() for row in np.split(self.ids, np.cumsum(self.lengths)[:-1])] if len(self) else []


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


def find_groups(lengths: Sequence[int] | NDArray[np.integer]) -> list[LengthGroup]:
    """Group neighbouring rows of equal length."""
    of_rows = np.asarray(lengths, dtype=np.int64)
    if not len(of_rows):
        return []
    firsts = np.flatnonzero(np.diff(of_rows, prepend=-1))
    rows = np.diff(firsts, append=len(of_rows))
    starts = np.cumsum(of_rows) - of_rows
    columns = (starts[firsts].tolist(), rows.tolist(), of_rows[firsts].tolist())
    return [LengthGroup(*group) for group in zip(*columns, strict=True)]


def row_starts(groups: Sequence[LengthGroup]) -> NDArray[np.int64]:
    """Return the index of each row's first token in the packed batch, (B,)."""
    return np.concatenate([np.arange(group.start, group.span.stop, group.length) for group in groups])


def pack(rows: TokenRows | Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, list[LengthGroup]]:
    """Lay rows of token ids end to end.

    Returns:
        Token ids (T,), each token's position in its row (T,), both int32, and the groups of equal length.
    """
    rows = rows if isinstance(rows, TokenRows) else TokenRows.of(rows)
    starts = np.cumsum(rows.lengths) - rows.lengths
    position_ids = np.arange(len(rows.ids), dtype=np.int32) - np.repeat(starts.astype(np.int32), rows.lengths)
    return torch.from_numpy(rows.ids), torch.from_numpy(position_ids), find_groups(rows.lengths)
