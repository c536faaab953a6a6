"""DistilBERT for sequence classification over packed rows: no padding, no attention mask.

The architecture and the weight names are those of transformers' `DistilBertForSequenceClassification` (Sanh et al.,
DistilBERT, 2019). Here the rows of a batch lie end to end, and rows of equal length attend together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from emotion_udf.classifier.configuration import Configuration
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import ModelError

# transformers' DistilBERT has it fixed in code, not in config.json.
_LAYER_NORM_EPSILON = 1e-12


@dataclass(frozen=True)
class Run:
    """`rows` neighbouring rows of `length` tokens each, whose tokens start at `start` of the packed batch."""

    start: int
    rows: int
    length: int


def find_runs(lengths: Sequence[int]) -> list[Run]:
    """Group neighbouring rows of equal length."""
    runs, start = [], 0
    for length, group in groupby(lengths):
        rows = len(list(group))
        runs.append(Run(start, rows, length))
        start += rows * length
    return runs


class Attention(nn.Module):
    """Multi-head self-attention, each row over its own tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, runs: Sequence[Run]) -> Tensor:
        """Map packed tokens (T, dim) to (T, dim)."""
        dim = x.shape[1]
        qkv = self.qkv(x)  # (T, 3 * dim)
        mixed = torch.empty_like(x)
        for run in runs:
            span = slice(run.start, run.start + run.rows * run.length)
            heads = qkv[span].view(run.rows, run.length, 3, self.heads, dim // self.heads)
            q, k, v = heads.permute(2, 0, 3, 1, 4)  # each (rows, heads, length, dim / heads)
            attended = F.scaled_dot_product_attention(q, k, v)
            mixed[span] = attended.transpose(1, 2).reshape(-1, dim)
        out: Tensor = self.out(mixed)
        return out


class Block(nn.Module):
    """One encoder layer, normalised after each residual sum."""

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.attention_norm = nn.LayerNorm(dim, eps=_LAYER_NORM_EPSILON)
        self.expand = nn.Linear(dim, hidden)
        self.contract = nn.Linear(hidden, dim)
        self.output_norm = nn.LayerNorm(dim, eps=_LAYER_NORM_EPSILON)

    def forward(self, x: Tensor, runs: Sequence[Run]) -> Tensor:
        """Map packed tokens (T, dim) to (T, dim)."""
        x = self.attention_norm(x + self.attention(x, runs))
        out: Tensor = self.output_norm(x + self.contract(F.gelu(self.expand(x))))
        return out


class DistilBert(nn.Module):
    """The encoder and its classification head.

    Args:
        sizes: The sizes of the network.
    """

    def __init__(self, sizes: Configuration) -> None:
        super().__init__()
        dim = sizes.dim
        self.words = nn.Embedding(sizes.vocab_size, dim)
        self.positions = nn.Embedding(sizes.max_position_embeddings, dim)
        self.norm = nn.LayerNorm(dim, eps=_LAYER_NORM_EPSILON)
        self.blocks = nn.ModuleList(Block(dim, sizes.n_heads, sizes.hidden_dim) for _ in range(sizes.n_layers))
        self.pre_classifier = nn.Linear(dim, dim)
        self.classifier = nn.Linear(dim, len(EMOTIONS))

    def forward(self, token_ids: Tensor, position_ids: Tensor, runs: Sequence[Run]) -> Tensor:
        """Return logits (B, 6) of packed rows.

        Args:
            token_ids: (T,) the token ids of all rows, end to end.
            position_ids: (T,) each token's place in its row, from 0.
            runs: The rows, in order.
        """
        x = self.norm(self.words(token_ids) + self.positions(position_ids))  # (T, dim)
        for block in self.blocks:
            x = block(x, runs)
        first_tokens = x[position_ids == 0]  # (B, dim)
        logits: Tensor = self.classifier(F.relu(self.pre_classifier(first_tokens)))
        return logits


def load_distilbert(sizes: Configuration, weights: Path) -> DistilBert:
    """Read safetensors in transformers' names into a `DistilBert` in fp32, on the CPU.

    Raises:
        ModelError: The file cannot be read, or does not hold the weights that `sizes` describe.
    """
    with torch.device("meta"):  # no memory and no random numbers for weights that are about to be replaced
        model = DistilBert(sizes)
    try:
        theirs = {name: tensor.float() for name, tensor in load_file(weights).items()}
        model.load_state_dict(_rename(theirs, sizes.n_layers), assign=True)
    except Exception as error:
        raise ModelError(
            f"expected the weights of config.json in {weights}, found a damaged file or other weights "
            f"({type(error).__name__}); take the model folder from its source again"
        ) from error
    return model.eval().requires_grad_(False)


def _rename(theirs: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Map transformers' weight names to this module's; query, key and value become one matrix.

    Raises:
        KeyError: A weight is missing, or there are more layers than `layers`.
    """
    names = {
        "words": "distilbert.embeddings.word_embeddings",
        "positions": "distilbert.embeddings.position_embeddings",
        "norm": "distilbert.embeddings.LayerNorm",
        "pre_classifier": "pre_classifier",
        "classifier": "classifier",
    }
    ours: dict[str, Tensor] = {}
    for layer in range(layers):
        source, target = f"distilbert.transformer.layer.{layer}", f"blocks.{layer}"
        names |= {
            f"{target}.attention.out": f"{source}.attention.out_lin",
            f"{target}.attention_norm": f"{source}.sa_layer_norm",
            f"{target}.expand": f"{source}.ffn.lin1",
            f"{target}.contract": f"{source}.ffn.lin2",
            f"{target}.output_norm": f"{source}.output_layer_norm",
        }
        for kind in ("weight", "bias"):
            ours[f"{target}.attention.qkv.{kind}"] = torch.cat(
                [theirs.pop(f"{source}.attention.{part}_lin.{kind}") for part in "qkv"]
            )
    embeddings = {"words", "positions"}
    for target, source in names.items():
        for kind in ("weight",) if target in embeddings else ("weight", "bias"):
            ours[f"{target}.{kind}"] = theirs.pop(f"{source}.{kind}")
    surplus = [name for name in theirs if name.startswith("distilbert.transformer.layer.")]
    if surplus:
        raise KeyError(surplus[0])
    return ours
