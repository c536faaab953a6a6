"""Attention within a packed batch: each row sees its own tokens only, and nothing is padded."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emotion_udf.classifier.packing import LengthGroup, row_starts

_HALF = (torch.bfloat16, torch.float16)


class Attend(Protocol):
    """Attention within the rows of one packed batch of T tokens."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Map queries (Q, heads, size), keys and values (T, heads, size) to (Q, heads, size).

        The queries are those of all T tokens, or of the first token of each row.
        """
        ...


@dataclass(frozen=True)
class GroupedAttention:
    """Scaled dot-product attention, one call for each group of rows of equal length.

    It is exact on every device and in every precision.

    Attributes:
        groups: The rows of the batch, in order.
        dropout: The share of attention weights that training drops.
    """

    groups: Sequence[LengthGroup]
    dropout: float = 0.0

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `Attend`."""
        attended = []
        row = 0
        of_first_tokens = q.shape[0] < k.shape[0]
        for group in self.groups:
            queries = slice(row, row + group.rows) if of_first_tokens else group.span
            mixed = F.scaled_dot_product_attention(
                _by_row(q[queries], group.rows),  # (rows, heads, length or 1, size)
                _by_row(k[group.span], group.rows),  # (rows, heads, length, size)
                _by_row(v[group.span], group.rows),
                dropout_p=self.dropout,
            )
            attended.append(mixed.transpose(1, 2).flatten(0, 1))  # (queries of the group, heads, size)
            row += group.rows
        return torch.cat(attended)


@dataclass(frozen=True)
class VarlenAttention:
    """All rows in one call of the FlashAttention kernel for sequences of variable length (CUDA, bf16 or fp16).

    Attributes:
        kernel: `torch.nn.attention.varlen.varlen_attn`.
        cu_seqlens: (B + 1,) int32, the cumulative lengths of the rows, from 0.
        max_seqlen: Tokens of the longest row.
    """

    kernel: Any
    cu_seqlens: Tensor
    max_seqlen: int

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `Attend`."""
        cu_seqlens_q = self.cu_seqlens
        max_seqlen_q = self.max_seqlen
        if q.shape[0] < k.shape[0]:  # one query a row
            cu_seqlens_q = torch.arange(len(self.cu_seqlens), dtype=torch.int32, device=q.device)
            max_seqlen_q = 1
        mixed: Tensor = self.kernel(q, k, v, cu_seqlens_q, self.cu_seqlens, max_seqlen_q, self.max_seqlen)
        return mixed


def attend_for(groups: Sequence[LengthGroup], x: Tensor, dropout: float) -> Attend:
    """Return the fastest attention for a batch.

    Args:
        groups: Its rows, in order.
        x: Its tokens, whose device and type decide.
        dropout: The share of attention weights that training drops.
    """
    kernel = _varlen_attention() if x.is_cuda and x.dtype in _HALF and not dropout else None
    if kernel is None:
        return GroupedAttention(groups, dropout)
    borders = np.append(row_starts(groups), groups[-1].span.stop).astype(np.int32)
    cu_seqlens = torch.from_numpy(borders).to(x.device, non_blocking=True)
    return VarlenAttention(kernel, cu_seqlens, max(group.length for group in groups))


def _by_row(tokens: Tensor, rows: int) -> Tensor:
    """Map tokens of rows of equal length (rows * length, heads, size) to (rows, heads, length, size)."""
    return tokens.view(rows, -1, *tokens.shape[1:]).transpose(1, 2)


@cache
def _varlen_attention() -> Any:
    """Return torch's own kernel, or None before torch 2.10, which has none."""
    try:
        return import_module("torch.nn.attention.varlen").varlen_attn
    except (ImportError, AttributeError):
        return None
