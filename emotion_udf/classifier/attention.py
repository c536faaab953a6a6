"""How the tokens of a packed batch see each other: each row its own tokens only, and none is padded."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emotion_udf.classifier.packing import Run, row_starts

_HALF = (torch.bfloat16, torch.float16)


class Attend(Protocol):
    """Attention within the rows of one packed batch."""

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Map queries (Q, heads, size), keys and values (T, heads, size) to (Q, heads, size).

        The queries are those of all T tokens, or of the first token of each row.
        """
        ...


@dataclass(frozen=True)
class AttendInRuns:
    """Rows of equal length attend together: exact on every device and in every precision.

    Args:
        runs: The rows of the batch, in order.
        dropout: The share of attention weights that training drops.
    """

    runs: Sequence[Run]
    dropout: float = 0.0

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `Attend`."""
        attended, row = [], 0
        of_first_tokens = q.shape[0] < k.shape[0]
        for run in self.runs:
            queries = slice(row, row + run.rows) if of_first_tokens else run.span
            parts = ((q, queries), (k, run.span), (v, run.span))
            by_row = (part[span].view(run.rows, -1, *part.shape[1:]).transpose(1, 2) for part, span in parts)
            rows_q, rows_k, rows_v = by_row  # each (rows, heads, queries or length, size)
            mixed = F.scaled_dot_product_attention(rows_q, rows_k, rows_v, dropout_p=self.dropout)
            attended.append(mixed.transpose(1, 2).flatten(0, 1))
            row += run.rows
        return torch.cat(attended)


@dataclass(frozen=True)
class AttendUnpadded:
    """All rows in one call of the FlashAttention kernel for rows of any lengths (CUDA, bf16 or fp16).

    Args:
        kernel: `torch.nn.attention.varlen.varlen_attn`.
        starts: (B + 1,) int32, where each row starts in the packed batch, and at last where it ends.
        longest: Tokens of the longest row.
    """

    kernel: Any
    starts: Tensor
    longest: int

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `Attend`."""
        starts, longest = self.starts, self.longest
        if q.shape[0] < k.shape[0]:
            starts, longest = torch.arange(len(starts), dtype=torch.int32, device=q.device), 1
        mixed: Tensor = self.kernel(q, k, v, starts, self.starts, longest, self.longest)
        return mixed


def attend_for(runs: Sequence[Run], x: Tensor, dropout: float) -> Attend:
    """Choose how a batch attends.

    Args:
        runs: Its rows, in order.
        x: Its tokens, whose device and type decide.
        dropout: The share of attention weights that training drops.
    """
    kernel = _varlen_attention() if x.is_cuda and x.dtype in _HALF and not dropout else None
    if kernel is None:
        return AttendInRuns(runs, dropout)
    borders = np.append(row_starts(runs), runs[-1].span.stop).astype(np.int32)
    starts = torch.from_numpy(borders).to(x.device, non_blocking=True)
    return AttendUnpadded(kernel, starts, max(run.length for run in runs))


@cache
def _varlen_attention() -> Any:
    """Return torch's own kernel, or None before torch 2.10, which has none."""
    try:
        return import_module("torch.nn.attention.varlen").varlen_attn
    except (ImportError, AttributeError):
        return None
