"""Linear layers in 16-bit integers, for CPUs with AVX2 and nothing newer: half the time of fp32, and its labels.

A row of inputs and a column of weights are each divided by a scale of their own and rounded to whole numbers, of which
the products and their sums are exact. What is lost is the rounding alone, some 2^-13 of a row's typical value: less
than in fp16, and far less than in bf16 or int8, which on these processors would be no faster.

No sum overflows 32 bits, whatever the numbers are. By Cauchy and Schwarz a sum of products, whole or in part, is at
most the product of both vectors' lengths; so each vector is scaled to a length of at most the root of 2^31, less what
rounding may add to it.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.util import find_spec
from typing import Final, cast

import torch
from torch import Tensor, nn

from emotion_udf.classifier.configuration import Configuration
from emotion_udf.classifier.distilbert import Block, DistilBert, FeedForward
from emotion_udf.errors import DeviceError

EXTRA: Final = "int16"
"""The extra of this package that brings the compiler of the kernels."""

_WIDTHS = 16
"""Widths of layers must be multiples of it."""

# Whole tiles of the kernels, and few enough that what lies between two products stays in a cache.
_ROWS_AT_ONCE = 384
_MOST_BEFORE_ROUNDING = math.sqrt(2**31 - 1)


class Int16Linear(nn.Module):
    """A linear layer for inference on a CPU: fp32 in and out, whole numbers between.

    Args:
        linear: The layer to take the place of, with widths that are multiples of 16.
        activation: `none` or `gelu`, computed on the product while it is in a register.
    """

    def __init__(self, linear: nn.Linear, activation: str = "none") -> None:
        super().__init__()
        from emotion_udf.classifier.cpu.int16_kernels import PANEL, kernels

        self.outputs, self.inputs = linear.weight.shape
        whole, scales = _in_whole_numbers(linear.weight.detach().contiguous())
        # Panels of 16 outputs; in each, for two inputs after the other, the 16 pairs of their weights.
        by_pairs = whole[: self.outputs].view(self.outputs // PANEL, PANEL, self.inputs // 2, 2)
        self._weights = by_pairs.transpose(1, 2).contiguous()
        self._scales, self._bias = scales, linear.bias.detach().contiguous()
        self._multiply = kernels().multiply_gelu if activation == "gelu" else kernels().multiply

    def forward(self, x: Tensor) -> Tensor:
        """Map (T, inputs) to (T, outputs)."""
        return self.part(x, 0, self.outputs)

    def part(self, x: Tensor, first: int, end: int) -> Tensor:
        """Map (T, inputs) to the outputs from `first` to `end` alone, (T, end - first), both multiples of 16."""
        x, out = x.contiguous(), _whole_tiles(len(x), end - first)
        _for_some_rows(len(x), lambda rows: self.write(x[rows], out[rows.start :], first, end))
        return out[: len(x)]

    def write(self, x: Tensor, out: Tensor, first: int, end: int) -> None:
        """Write what `part` returns, for some rows at once, into the first whole tiles of `out`."""
        whole, row_scales = _in_whole_numbers(x)
        self._multiply(
            whole.data_ptr(),
            self._weights[first // self._weights.shape[2] :].data_ptr(),
            row_scales.data_ptr(),
            self._scales[first:].data_ptr(),
            self._bias[first:].data_ptr(),
            out.data_ptr(),
            len(x),
            self.inputs,
            end - first,
        )


class Int16FeedForward(nn.Module):
    """The feed-forward part of a layer, for some rows at once: what lies between its two products stays in a cache.

    Args:
        plain: What to take the place of.
    """

    def __init__(self, plain: FeedForward) -> None:
        super().__init__()
        self.expand, self.contract = Int16Linear(plain.expand, "gelu"), Int16Linear(plain.contract)

    def forward(self, x: Tensor) -> Tensor:
        """Map (T, dim) to (T, dim)."""
        x, out = x.contiguous(), _whole_tiles(len(x), self.contract.outputs)
        contract = partial(self.contract.write, first=0, end=self.contract.outputs)
        _for_some_rows(len(x), lambda rows: contract(self.expand(x[rows]), out[rows.start :]))
        return out[: len(x)]


def longest(width: int) -> float:
    """Return how long a vector may be before it is rounded to `width` whole numbers."""
    return _MOST_BEFORE_ROUNDING - math.sqrt(width) / 2 - 1


def can_use_int16(sizes: Configuration) -> bool:
    """Tell whether this processor, this environment and this network have what the kernels need."""
    return not _lacking("cpu", sizes)


def require_int16(device: str, sizes: Configuration) -> None:
    """See that the kernels can run.

    Raises:
        DeviceError: They cannot; it says why.
    """
    if lacking := _lacking(device, sizes):
        raise DeviceError(f"precision = 'int16' expects {lacking}; or choose fp32 or auto")


def _lacking(device: str, sizes: Configuration) -> str:
    """Return what the kernels lack, as expected and found; nothing where they can run."""
    if device != "cpu":
        return f"a CPU, found the device {device}"
    if not torch.cpu.get_capabilities().get("avx2"):
        return "a processor with AVX2, found none"
    if find_spec("llvmlite") is None:
        return f"llvmlite, found none in this Python; install emotion-udf[{EXTRA}]"
    if sizes.dim % _WIDTHS or sizes.hidden_dim % _WIDTHS:
        return f"widths in multiples of {_WIDTHS}, found {sizes.dim} and {sizes.hidden_dim}"
    try:
        from emotion_udf.classifier.cpu.int16_kernels import kernels

        kernels()
    except (ImportError, OSError, RuntimeError) as error:  # a system may not let programs write programs
        return f"kernels that LLVM can compile, found {type(error).__name__}: {error}"
    return ""


def use_int16(network: DistilBert) -> None:
    """Put the layers of a network into whole numbers, in place; embeddings, norms and the head stay as they are."""
    for block in cast(Sequence[Block], network.blocks):
        block.attention.register_module("qkv", Int16Linear(block.attention.qkv))
        block.attention.register_module("out", Int16Linear(block.attention.out))
        block.register_module("feed_forward", Int16FeedForward(block.feed_forward))


def _whole_tiles(rows: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Make room for so many rows, and for those that fill up the last tile."""
    from emotion_udf.classifier.cpu.int16_kernels import TILE_ROWS

    return torch.empty(-(-rows // TILE_ROWS) * TILE_ROWS, width, dtype=dtype)


def _in_whole_numbers(x: Tensor) -> tuple[Tensor, Tensor]:
    """Divide each row of x (R, K) by its scale and round it; both come with the rows that fill up the last tile."""
    from emotion_udf.classifier.cpu.int16_kernels import kernels

    rows, width = x.shape
    whole = _whole_tiles(rows, width, torch.int16)
    scales = torch.empty(len(whole))
    kernels().quantise(x.data_ptr(), whole.data_ptr(), scales.data_ptr(), rows, width, longest(width))
    return whole, scales


def _for_some_rows(rows: int, compute: Callable[[slice], None]) -> None:
    """Call `compute` for every row, some at once, on as many threads as torch uses."""
    some = [slice(start, min(start + _ROWS_AT_ONCE, rows)) for start in range(0, rows, _ROWS_AT_ONCE)]
    threads = torch.get_num_threads()
    for _ in map(compute, some) if threads == 1 or len(some) == 1 else _threads(threads).map(compute, some):
        pass


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "int16")
