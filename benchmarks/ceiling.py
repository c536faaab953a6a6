"""What the hardware allows and what the model asks for: matrix rates in FLOP/s, operations of a text in FLOP.

A share of the one in the other says how much of a machine the classifier uses, whatever the machine is.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import Final, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.cpu.int16 import Int16Linear
from emotion_udf.classifier.cpu.prepacked import PrepackedLinear, can_prepack
from emotion_udf.emotions import EMOTIONS

Result = TypeVar("Result")

# Long enough for loading a model on a busy machine; afterwards somebody is missing for good.
PATIENCE_S: Final = 900.0


def useful_flops(sizes: ModelConfig, lengths: Sequence[int]) -> int:
    """Return the operations that the textbook network needs for texts of these lengths, without padding.

    A multiplication and the addition after it are two. Layers: 4 dim² + 2 dim hidden weights a token, and of the
    attention the products of all tokens of a text with each other, twice (q·k, then with v). The head reads one token.

    Args:
        sizes: The sizes of the network.
        lengths: Tokens of each text that the network reads, special tokens included.
    """
    tokens, pairs = _tokens_and_pairs(lengths)
    layer = 2 * _layer_weights(sizes) * tokens + 4 * sizes.dim * pairs
    return sizes.n_layers * layer + _head_flops(sizes, len(lengths))


def executed_flops(sizes: ModelConfig, lengths: Sequence[int]) -> int:
    """Return the operations that `emotion_udf.classifier.distilbert` executes, in matrix products.

    Its last layer computes keys and values of all tokens, and everything else for the first token of a text only.

    Args:
        sizes: The sizes of the network.
        lengths: Tokens of each text that the network reads, special tokens included.
    """
    tokens, pairs = _tokens_and_pairs(lengths)
    full = 2 * _layer_weights(sizes) * tokens + 4 * sizes.dim * pairs
    keys_and_values = 2 * sizes.dim**2
    last = 2 * keys_and_values * tokens + 2 * (_layer_weights(sizes) - keys_and_values) * len(lengths)
    last += 4 * sizes.dim * tokens  # one query a text
    return (sizes.n_layers - 1) * full + last + _head_flops(sizes, len(lengths))


def _tokens_and_pairs(lengths: Sequence[int]) -> tuple[int, int]:
    each = np.asarray(lengths, dtype=np.int64)
    return int(each.sum()), int((each**2).sum())


def _layer_weights(sizes: ModelConfig) -> int:
    return 4 * sizes.dim**2 + 2 * sizes.dim * sizes.hidden_dim


def _head_flops(sizes: ModelConfig, texts: int) -> int:
    return 2 * (sizes.dim**2 + sizes.dim * len(EMOTIONS)) * texts


@torch.inference_mode()
def linear_rate(
    device: str,
    dtype: torch.dtype,
    tokens: int = 2_048,
    inputs: int = 768,
    outputs: int = 3_072,
    repeats: int = 5,
) -> float:
    """Measure what one linear layer reaches on a device, in FLOP/s.

    On a CPU it is the faster of the two ways that torch has, plain and prepacked, with this process's threads. Torch
    has none in int16: that is this project's own, with all that turns fp32 into whole numbers and back.

    Args:
        device: A torch device.
        dtype: Of weights, inputs and outputs; with int16 inputs and outputs are in fp32.
        tokens: Rows of the input; a GPU wants tens of thousands.
        inputs: Width of the input.
        outputs: Width of the output.
        repeats: Timed repetitions, of which the median counts.
    """
    flows = torch.float32 if dtype is torch.int16 else dtype
    layer = nn.Linear(inputs, outputs, device=device, dtype=flows)
    x = torch.randn(tokens, inputs, device=device).to(flows)
    layers: list[nn.Module] = [Int16Linear(layer) if dtype is torch.int16 else layer]
    if torch.device(device).type == "cpu" and can_prepack(dtype):
        layers.append(PrepackedLinear(layer))
    fastest = min(_median_seconds(partial(either, x), device, repeats) for either in layers)
    return 2 * tokens * inputs * outputs / fastest


@torch.inference_mode()
def square_rate(device: str, dtype: torch.dtype, size: int = 8_192, repeats: int = 5) -> float:
    """Measure the product of two square matrices, in FLOP/s: the most that a GPU gives anybody.

    Args:
        device: A torch device.
        dtype: Of both matrices and their product.
        size: Rows and columns of each.
        repeats: Timed repetitions, of which the median counts.
    """
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / _median_seconds(lambda: left @ right, device, repeats)


def on_each_core(cores: int, work: Callable[[int, Barrier], Result]) -> list[Result]:
    """Do `work` in `cores` fresh processes of one thread each, side by side.

    Args:
        cores: How many.
        work: What each does, picklable: it is given its number, and a barrier at which it must wait at least once.

    Returns:
        What each returned, in order.
    """
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads in an undefined state
    together = spawn.Barrier(cores)
    with ProcessPoolExecutor(cores, spawn, _start_core, (together,)) as processes:
        # As each waits for all others, none can take two pieces of work.
        coming = [processes.submit(_work_on_core, work, core) for core in range(cores)]
        errors = [error for error in (one.exception() for one in coming) if error]
        for error in sorted(errors, key=lambda error: isinstance(error, BrokenBarrierError)):
            raise error  # the cause before what the others met at the barrier because of it
        return [one.result() for one in coming]


_barrier_of_this_process: Barrier | None = None


def _start_core(together: Barrier) -> None:
    global _barrier_of_this_process
    _barrier_of_this_process = together
    torch.set_num_threads(1)


def _work_on_core(work: Callable[[int, Barrier], Result], core: int) -> Result:
    together = _barrier_of_this_process
    assert together is not None  # noqa: S101 - the initialiser has run
    try:
        return work(core, together)
    except BaseException:
        together.abort()
        raise


def _median_seconds(call: Callable[[], Tensor], device: str, repeats: int) -> float:
    """Return the median seconds of `call` on the clock of the device that computes it."""
    for _ in range(2):
        call()
    seconds = _cuda_seconds if torch.device(device).type == "cuda" else _cpu_seconds
    return statistics.median(seconds(call) for _ in range(repeats))


def _cpu_seconds(call: Callable[[], Tensor]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _cuda_seconds(call: Callable[[], Tensor]) -> float:
    started, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    started.record()
    call()
    ended.record()
    ended.synchronize()
    return float(started.elapsed_time(ended)) / 1_000
