"""Linear layers quantized to 16-bit integers, for CPUs that have nothing narrower: half the time of fp32.

Each row of inputs and each column of weights is divided by a scale of its own and rounded. The products of the
integers and their sums are exact, so the only error is the rounding, some 2^-13 of a row's typical value: less than in
fp16, and far less than in bf16 or int8, which on these processors would be no faster.

No sum overflows 32 bits, whatever the inputs. By the Cauchy-Schwarz inequality a dot product, whole or in part, is at
most the product of the two L2 norms; so each vector is scaled to a norm of at most the root of 2^31, less what
rounding may add to it (`max_l2_norm`).
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, cast

import torch
from torch import Tensor, nn

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import Block, DistilBert, FeedForward
from emotion_udf.errors import DeviceError

if TYPE_CHECKING:
    from emotion_udf.classifier.cpu.int16_kernels import Kernels, Tile

EXTRA: Final = "int16"
"""The extra of this package that brings the compiler of the kernels."""

_WIDTH_MULTIPLE = 16

# A multiple of the kernels' tiles, and small enough that the activations between two products stay in a cache.
_BLOCK_ROWS = 384
_MAX_NORM = math.sqrt(2**31 - 1)


class Int16Linear(nn.Module):
    """A linear layer for inference on a CPU: fp32 in and out, quantized between.

    Args:
        linear: The layer to replace, with widths that are multiples of 16.
        activation: `none` or `gelu`, computed on the product while it is in a cache.
        tile: Of the kernels; by default the largest that the processor and the width allow.
    """

    def __init__(self, linear: nn.Linear, activation: str = "none", tile: "Tile | None" = None) -> None:
        super().__init__()
        from emotion_udf.classifier.cpu.int16_kernels import kernels

        self.outputs, self.inputs = linear.weight.shape
        tile = tile or largest_tile(self.outputs)
        self._kernels = kernels(tile)
        quantized, scales = _quantize(linear.weight.detach().contiguous(), self._kernels)
        # (panels, inputs / 2, columns, 2): in a panel of so many outputs, the weights of two inputs lie side by side.
        by_pairs = quantized[: self.outputs].view(self.outputs // tile.columns, tile.columns, self.inputs // 2, 2)
        self._weights = by_pairs.transpose(1, 2).contiguous()
        self._scales = scales  # (outputs,)
        self._bias = linear.bias.detach().contiguous()
        self._multiply = self._kernels.multiply_gelu if activation == "gelu" else self._kernels.multiply

    def forward(self, x: Tensor) -> Tensor:
        """Map (T, inputs) to (T, outputs)."""
        return self.part(x, 0, self.outputs)

    def part(self, x: Tensor, first: int, end: int) -> Tensor:
        """Map (T, inputs) to outputs `first` to `end`, (T, end - first); both are multiples of `tile.columns`."""
        x = x.contiguous()
        out = _empty_tiles(len(x), end - first)
        _for_each_block(len(x), lambda rows: self.write(x[rows], out[rows.start :], first, end))
        return out[: len(x)]

    def write(self, x: Tensor, out: Tensor, first: int, end: int) -> None:
        """Compute `part` for one block of rows, into the first tiles of `out`."""
        quantized, row_scales = _quantize(x, self._kernels)
        self._multiply(
            quantized.data_ptr(),
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
    """The feed-forward part of a layer, block by block, so that what lies between its two products stays in a cache.

    Args:
        plain: The part to replace.
    """

    def __init__(self, plain: FeedForward) -> None:
        super().__init__()
        self.expand = Int16Linear(plain.expand, "gelu")
        self.contract = Int16Linear(plain.contract)

    def forward(self, x: Tensor) -> Tensor:
        """Map (T, dim) to (T, dim)."""
        x = x.contiguous()
        out = _empty_tiles(len(x), self.contract.outputs)
        contract = partial(self.contract.write, first=0, end=self.contract.outputs)
        _for_each_block(len(x), lambda rows: contract(self.expand(x[rows]), out[rows.start :]))
        return out[: len(x)]


def largest_tile(outputs: int) -> "Tile":
    """Return the largest tile that the processor has registers for and whose columns divide a layer's outputs."""
    from emotion_udf.classifier.cpu.int16_kernels import NARROW, WIDE

    return WIDE if torch.cpu.get_capabilities().get("avx512_bw") and outputs % WIDE.columns == 0 else NARROW


def max_l2_norm(width: int) -> float:
    """Return the largest L2 norm that a vector of `width` numbers may have before it is rounded."""
    return _MAX_NORM - math.sqrt(width) / 2 - 1  # rounding moves each number by at most 1/2


def can_use_int16(config: ModelConfig) -> bool:
    """Tell whether the processor, the environment and the network meet the kernels' requirements."""
    return not _missing_requirement("cpu", config)


def require_int16(device: str, config: ModelConfig) -> None:
    """Check that the kernels can run.

    Raises:
        DeviceError: A requirement is missing; it says which.
    """
    if missing := _missing_requirement(device, config):
        raise DeviceError(f"precision = 'int16' expects {missing}; or choose fp32 or auto")


def _missing_requirement(device: str, config: ModelConfig) -> str:
    """Return the first requirement that is missing, as expected and found; an empty string if there is none."""
    if device != "cpu":
        return f"a CPU, found the device {device}"
    if not torch.cpu.get_capabilities().get("avx2"):
        return "a processor with AVX2, found none"
    if find_spec("llvmlite") is None:
        return f"llvmlite, found none in this Python; install emotion-udf[{EXTRA}]"
    if config.dim % _WIDTH_MULTIPLE or config.hidden_dim % _WIDTH_MULTIPLE:
        return f"widths in multiples of {_WIDTH_MULTIPLE}, found {config.dim} and {config.hidden_dim}"
    try:
        from emotion_udf.classifier.cpu.int16_kernels import kernels

        kernels(largest_tile(config.dim))
    except (ImportError, OSError, RuntimeError) as error:  # a hardened system forbids memory that is executable
        return f"kernels that LLVM can compile, found {type(error).__name__}: {error}"
    return ""


def use_int16(network: DistilBert) -> None:
    """Quantize the linear layers of a network, in place; embeddings, norms and the head stay in fp32."""
    for block in cast(Sequence[Block], network.blocks):
        block.attention.register_module("qkv", Int16Linear(block.attention.qkv))
        block.attention.register_module("out", Int16Linear(block.attention.out))
        block.register_module("feed_forward", Int16FeedForward(block.feed_forward))


def _empty_tiles(rows: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Allocate `rows` rows, rounded up to whole tiles of the kernels."""
    from emotion_udf.classifier.cpu.int16_kernels import ROW_MULTIPLE

    return torch.empty(-(-rows // ROW_MULTIPLE) * ROW_MULTIPLE, width, dtype=dtype)


def _quantize(x: Tensor, kernels: "Kernels") -> tuple[Tensor, Tensor]:
    """Divide each row of x (R, K) by its scale and round it; return both (R', K) and (R',), R rounded up to tiles."""
    rows, width = x.shape
    quantized = _empty_tiles(rows, width, torch.int16)
    scales = torch.empty(len(quantized))
    kernels.quantize(x.data_ptr(), quantized.data_ptr(), scales.data_ptr(), rows, width, max_l2_norm(width))
    return quantized, scales


def _for_each_block(rows: int, compute: Callable[[slice], None]) -> None:
    """Call `compute` for blocks of rows, on as many threads as torch uses."""
    blocks = [slice(start, min(start + _BLOCK_ROWS, rows)) for start in range(0, rows, _BLOCK_ROWS)]
    threads = torch.get_num_threads()
    in_turn = threads == 1 or len(blocks) == 1
    for _ in map(compute, blocks) if in_turn else _threads(threads).map(compute, blocks):
        pass  # exhausted, so that an error of a thread is raised here


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "int16")
