"""DistilBERT for sequence classification over packed rows: no padding, no attention mask.

The architecture is that of transformers' `DistilBertForSequenceClassification` (Sanh et al., DistilBERT, 2019). Here
the rows of a batch lie end to end (`packing`). The head reads only the first token of a row, so the last layer computes
only that one: an eighth of the work less, and the same result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emotion_udf.classifier.attention import Attend, attend_for
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.packing import LengthGroup, row_starts
from emotion_udf.emotions import EMOTIONS

# transformers' DistilBERT fixes it in code; config.json has no key for it.
LAYER_NORM_EPSILON = 1e-12


@dataclass(frozen=True)
class Dropout:
    """Shares of values that are set to zero in training; transformers' names and places.

    Attributes:
        dropout: Share of the embeddings and of each feed-forward output.
        attention_dropout: Share of the attention weights.
        seq_classif_dropout: Share of the classification head's input.
    """

    dropout: float = 0.0
    attention_dropout: float = 0.0
    seq_classif_dropout: float = 0.0


class Linear(nn.Linear):
    """A linear layer that can compute some of its outputs alone."""

    def part(self, x: Tensor, first: int, end: int) -> Tensor:
        """Map (T, inputs) to the outputs from `first` to `end` alone, (T, end - first)."""
        return F.linear(x, self.weight[first:end], self.bias[first:end])


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """Map packed tokens (T, dim) to (T, dim)."""
        q, k, v = self.qkv(x).chunk(3, dim=1)  # each (T, dim)
        return self._mix(q, k, v, attend=attend)

    def of_first_tokens(self, x: Tensor, first: Tensor, attend: Attend) -> Tensor:
        """Map packed tokens (T, dim) to the attention output of the first token of each row, (B, dim).

        Args:
            x: The packed tokens.
            first: (B, dim) the first token of each row.
            attend: The attention of this batch.
        """
        dim = x.shape[1]
        q = self.qkv.part(first, 0, dim)  # (B, dim): query alone
        k, v = self.qkv.part(x, dim, 3 * dim).chunk(2, dim=1)  # each (T, dim)
        return self._mix(q, k, v, attend=attend)

    def _mix(self, *qkv: Tensor, attend: Attend) -> Tensor:
        mixed = attend(*(part.view(len(part), self.heads, -1) for part in qkv))  # (queries, heads, dim / heads)
        out: Tensor = self.out(mixed.flatten(1))
        return out


class FeedForward(nn.Module):
    """The feed-forward part of a layer: two linear maps of each token, with a GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, hidden)
        self.gelu = nn.GELU()
        self.contract = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map packed tokens (T, dim) to (T, dim)."""
        out: Tensor = self.contract(self.gelu(self.expand(x)))
        return out


class Block(nn.Module):
    """One encoder layer, normalized after each residual sum (post-norm, as in BERT)."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.attention_norm = nn.LayerNorm(dim, eps=LAYER_NORM_EPSILON)
        self.feed_forward = FeedForward(dim, hidden)
        self.dropout = nn.Dropout(dropout)
        self.output_norm = nn.LayerNorm(dim, eps=LAYER_NORM_EPSILON)

    def forward(self, x: Tensor, attend: Attend) -> Tensor:
        """Map packed tokens (T, dim) to (T, dim)."""
        return self._add_feed_forward(self.attention_norm(x + self.attention(x, attend)))

    def of_first_tokens(self, x: Tensor, starts: Tensor, attend: Attend) -> Tensor:
        """Map packed tokens (T, dim) to the first token of each row, (B, dim): all that the head reads.

        Args:
            x: The packed tokens.
            starts: (B,) index of each row's first token.
            attend: The attention of this batch.
        """
        first = x.index_select(0, starts)  # (B, dim)
        return self._add_feed_forward(self.attention_norm(first + self.attention.of_first_tokens(x, first, attend)))

    def _add_feed_forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.output_norm(x + self.dropout(self.feed_forward(x)))
        return out


class DistilBert(nn.Module):
    """The encoder and its classification head.

    Args:
        config: The sizes of the network.
        dropout: Shares that training drops.
    """

    def __init__(self, config: ModelConfig, dropout: Dropout = Dropout()) -> None:
        super().__init__()
        dim = config.dim
        self.words = _embedding(config.vocab_size, dim)
        self.positions = _embedding(config.max_position_embeddings, dim)
        self.norm = nn.LayerNorm(dim, eps=LAYER_NORM_EPSILON)
        self.dropout = nn.Dropout(dropout.dropout)
        self.attention_dropout = dropout.attention_dropout
        self.blocks = nn.ModuleList(
            Block(dim, config.n_heads, config.hidden_dim, dropout.dropout) for _ in range(config.n_layers)
        )
        self.pre_classifier = nn.Linear(dim, dim)
        self.head_dropout = nn.Dropout(dropout.seq_classif_dropout)
        self.classifier = nn.Linear(dim, len(EMOTIONS))

    def forward(self, token_ids: Tensor, position_ids: Tensor, groups: Sequence[LengthGroup]) -> Tensor:
        """Return logits (B, 6) of packed rows.

        Args:
            token_ids: (T,) token ids of all rows, end to end.
            position_ids: (T,) each token's position in its row, from 0.
            groups: The rows, in order, grouped by equal length.
        """
        x = self.dropout(self.norm(self.words(token_ids) + self.positions(position_ids)))  # (T, dim)
        attend = attend_for(groups, x, self.attention_dropout if self.training else 0.0)
        for block in self.blocks[:-1]:
            x = block(x, attend)
        last = cast(Block, self.blocks[-1])
        starts = torch.from_numpy(row_starts(groups)).to(x.device, non_blocking=True)
        x = last.of_first_tokens(x, starts, attend)  # (B, dim)
        logits: Tensor = self.classifier(self.head_dropout(F.relu(self.pre_classifier(x))))  # (B, 6)
        return logits


def _embedding(rows: int, dim: int) -> nn.Embedding:
    # The same random numbers as `nn.Embedding` draws by itself. On the meta device it would load torch's compiler to
    # draw none: most of the time of loading a model, and memory that a worker never gives back.
    weight = torch.empty(rows, dim)
    return nn.Embedding(rows, dim, _weight=weight if weight.is_meta else weight.normal_())
