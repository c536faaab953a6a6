"""Measure what a device allows, in FLOP/s, and count what a model asks of it, in FLOP.

The one as a share of the other is how much of a machine the classifier uses, whatever the machine is.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.cpu.int16 import Int16Linear
from emotion_udf.classifier.cpu.prepacked import PrepackedLinear, can_prepack
from emotion_udf.classifier.precision import DTYPES
from emotion_udf.emotions import EMOTIONS

_WARM_UP_CALLS = 2
_TIMED_CALLS = 5


def useful_flops(sizes: ModelConfig, lengths: Sequence[int]) -> int:
    """Return the operations that the textbook network needs for texts of these lengths, without padding.

    A multiplication and the addition after it are two. A layer has 4 dim² + 2 dim hidden weights for a token, and for
    the attention the products of all tokens of a text with each other, twice (q·k, then with v). The head reads one
    token.

    Args:
        sizes: The sizes of the network.
        lengths: Tokens of each text that the network reads, special tokens included.
    """
    tokens = sum(lengths)
    pairs = sum(length**2 for length in lengths)
    layer = 2 * (4 * sizes.dim**2 + 2 * sizes.dim * sizes.hidden_dim) * tokens + 4 * sizes.dim * pairs
    head = 2 * (sizes.dim**2 + sizes.dim * len(EMOTIONS)) * len(lengths)
    return sizes.n_layers * layer + head


@torch.inference_mode()
def linear_rate(device: str, precision: str, tokens: int, inputs: int = 768, outputs: int = 3_072) -> float:
    """Measure what one linear layer reaches on a device, in FLOP/s.

    On a CPU it is the faster of torch's two, plain and prepacked, with this process's threads. Torch has none in
    int16: that one is this project's, with all that turns fp32 into whole numbers and back.

    Args:
        device: `cpu` or `cuda`.
        precision: Of weights, inputs and outputs, as settings name it; with int16 inputs and outputs are in fp32.
        tokens: Rows of the input; a GPU wants tens of thousands.
        inputs: Width of the input.
        outputs: Width of the output.
    """
    dtype = DTYPES[precision]
    outer = torch.float32 if dtype is torch.int16 else dtype
    layer = nn.Linear(inputs, outputs, device=device, dtype=outer)
    x = torch.randn(tokens, inputs, device=device).to(outer)  # (T, inputs)
    layers: list[nn.Module] = [Int16Linear(layer) if dtype is torch.int16 else layer]
    if device == "cpu" and can_prepack(dtype):
        layers.append(PrepackedLinear(layer))
    fastest = min(_median_seconds(partial(either, x), device) for either in layers)
    return 2 * tokens * inputs * outputs / fastest


@torch.inference_mode()
def square_rate(device: str, size: int) -> float:
    """Measure the product of two square matrices in bf16, in FLOP/s: the most that a GPU gives anybody.

    Args:
        device: `cpu` or `cuda`.
        size: Rows and columns of each.
    """
    left, right = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))
    return 2 * size**3 / _median_seconds(lambda: left @ right, device)


def _median_seconds(call: Callable[[], Tensor], device: str) -> float:
    """Return the median seconds of some calls, to the moment when a GPU has done what they launched."""
    seconds = []
    for _ in range(_WARM_UP_CALLS + _TIMED_CALLS):
        started = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[_WARM_UP_CALLS:])
