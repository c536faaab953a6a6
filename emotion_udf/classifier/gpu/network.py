"""A DistilBERT for inference on a GPU: torch's matrix products, and kernels of our own between them.

It computes what `DistilBert` computes. For rows of a tweet's length, FlashAttention takes five times as long as the
kernel for short rows, and a residual sum and its norm three times as long as both at once: half of the time in all.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from emotion_udf.classifier.attention import Attend, attend_for
from emotion_udf.classifier.distilbert import Block, DistilBert, FeedForward
from emotion_udf.classifier.gpu.kernels import Kernels
from emotion_udf.classifier.packing import LengthGroup, row_starts

_MOST_MEAN_TOKENS: Final = 64  # of a row; with longer ones FlashAttention is faster than the kernel for short ones


class GpuDistilBert:
    """The network for inference.

    Args:
        plain: The network, on the GPU, in the type of `kernels`.
        kernels: For its sizes.
    """

    def __init__(self, plain: DistilBert, kernels: Kernels) -> None:
        self._plain = plain
        self._kernels = kernels
        self._dim = plain.words.weight.shape[1]

    def __call__(self, token_ids: Tensor, position_ids: Tensor, groups: Sequence[LengthGroup]) -> Tensor:
        """Return logits (B, 6) of packed rows; see `DistilBert`. The ids are int32."""
        plain = self._plain
        x = self._kernels.embed_norm(plain.words.weight, plain.positions.weight, token_ids, position_ids, plain.norm)
        borders = np.append(row_starts(groups), groups[-1].span.stop).astype(np.int32)
        starts = torch.from_numpy(borders).pin_memory().to(x.device, non_blocking=True)  # (B + 1,)
        attend = self._attend_for(groups, starts, x)
        blocks = cast(Sequence[Block], plain.blocks)
        for block in blocks[:-1]:
            q, k, v = block.attention.qkv(x).chunk(3, dim=1)  # each (T, dim)
            x = self._add_to(x, attend(q, k, v), block)
        x = self._of_first_tokens(x, starts, blocks[-1], attend)
        logits: Tensor = plain.classifier(F.relu(plain.pre_classifier(x)))
        return logits

    def _attend_for(self, groups: Sequence[LengthGroup], starts: Tensor, x: Tensor) -> Attend:
        """Return the faster attention for rows of these lengths; it takes and returns matrices (tokens, dim)."""
        if len(x) > _MOST_MEAN_TOKENS * (len(starts) - 1):
            heads, of_torch = self._kernels.heads, attend_for(groups, x, dropout=0.0)
            return lambda *qkv: of_torch(*(part.view(len(part), heads, -1) for part in qkv)).flatten(1)
        return partial(self._kernels.attend, starts=starts, longest=max(group.length for group in groups))

    def _of_first_tokens(self, x: Tensor, starts: Tensor, last: Block, attend: Attend) -> Tensor:
        """Map packed tokens (T, dim) to the first token of each row, (B, dim): all that the head reads."""
        first = x.index_select(0, starts[:-1])  # (B, dim)
        q = last.attention.qkv.part(first, 0, self._dim)
        k, v = last.attention.qkv.part(x, self._dim, 3 * self._dim).chunk(2, dim=1)  # each (T, dim)
        return self._add_to(first, attend(q, k, v), last)

    def _add_to(self, x: Tensor, mixed: Tensor, block: Block) -> Tensor:
        """Finish a layer: from its input and its attention's output before the last product, (B or T, dim)."""
        x = self._kernels.add_norm(x, block.attention.out(mixed), block.attention_norm)
        feed_forward: FeedForward = block.feed_forward
        return self._kernels.add_norm(x, feed_forward(x), block.output_norm)
