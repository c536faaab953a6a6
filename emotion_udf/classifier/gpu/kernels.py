"""Compile and launch `kernels.cu` for one network: NVRTC compiles it in the worker, so a node needs no compiler."""

import logging
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import LAYER_NORM_EPSILON

EXTRA: Final = "gpu"
"""The extra of this package that brings the library which compiles and launches the kernels."""

HALF: Final = (torch.bfloat16, torch.float16)
"""The types that the kernels are written for."""

log = logging.getLogger(__name__)

_SOURCE = Path(__file__).with_name("kernels.cu")
_HEADS = (32, 64)
_OLDEST = (8, 0)  # the first GPUs whose tensor cores multiply bf16
_WARP = 32
_TILE_QUERIES = 16


def make_kernels(config: ModelConfig, device: torch.device, dtype: torch.dtype) -> "Kernels | None":
    """Compile the kernels for one network on one device; return None where they do not fit or cannot be compiled."""
    if device.type != "cuda" or dtype not in HALF or config.dim // config.n_heads not in _HEADS:
        return None
    if torch.cuda.get_device_capability(device) < _OLDEST:
        return None
    try:
        return Kernels(config, device, dtype)
    except ImportError as error:
        log.info("the GPU's own kernels are not used: install emotion-udf[%s] (%s)", EXTRA, error)
    except Exception as error:  # cuda.core raises errors of many types where NVRTC or the driver does not suit it
        log.warning("the GPU's own kernels are not used, for they cannot be compiled: %s", error)
    return None


class Kernels:
    """The kernels for one network on one GPU, launched on torch's current stream.

    Args:
        config: The sizes of the network.
        device: The GPU.
        dtype: The type of all tensors, bf16 or fp16.

    Attributes:
        heads: The network's attention heads.
    """

    def __init__(self, config: ModelConfig, device: torch.device, dtype: torch.dtype) -> None:
        from cuda.core import Device, Program, ProgramOptions

        self._device = device
        capability = "".join(map(str, torch.cuda.get_device_capability(device)))
        size = config.dim // config.n_heads
        defined = {"DIM": config.dim, "HEAD": size, "BF16": int(dtype is torch.bfloat16)}
        lines = [f"#define {name} {value}" for name, value in defined.items()]
        source = "\n".join([*lines, f"#define EPSILON {LAYER_NORM_EPSILON}f", _SOURCE.read_text(encoding="utf-8")])
        with torch.cuda.device(device):  # in whose context the code is loaded
            Device(device.index or 0).set_current()
            code = Program(source, "c++", ProgramOptions(std="c++17", arch=f"sm_{capability}")).compile("cubin")
            self._add_norm, self._embed_norm, self._attend = map(code.get_kernel, ("add_norm", "embed_norm", "attend"))
        self.heads = config.n_heads
        self._scale = np.float32(np.log2(np.e) / np.sqrt(size))  # the kernel computes powers of two

    def add_norm(self, x: Tensor, a: Tensor, norm: nn.LayerNorm) -> Tensor:
        """Return the norm of x + a, all (T, dim) and contiguous."""
        out = torch.empty_like(x)
        self._launch(self._add_norm, len(x), 8, x, a, norm.weight, norm.bias, out, np.int32(len(x)))
        return out

    def embed_norm(
        self, words: Tensor, positions: Tensor, token_ids: Tensor, position_ids: Tensor, norm: nn.LayerNorm
    ) -> Tensor:
        """Return the norm of the embeddings' sum, (T, dim).

        Args:
            words: (vocabulary, dim).
            positions: (positions, dim).
            token_ids: (T,) int32.
            position_ids: (T,) int32.
            norm: The norm.
        """
        rows = len(token_ids)
        out = words.new_empty(rows, words.shape[1])
        places = (words, positions, token_ids, position_ids)
        self._launch(self._embed_norm, rows, 8, *places, norm.weight, norm.bias, out, np.int32(rows))
        return out

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, starts: Tensor, longest: int) -> Tensor:
        """Return the attention of queries (Q, dim) to the keys and values (T, dim) of their own row, (Q, dim).

        Args:
            q: The queries of all tokens, or of the first token of each row. Rows of q, and of k and v, may lie apart
                in memory.
            k: The keys.
            v: The values, as far apart as the keys.
            starts: (B + 1,) int32, where each of B rows starts, and where the last one ends.
            longest: Tokens of the longest row.
        """
        rows = len(starts) - 1
        q_starts = starts
        if len(q) < len(k):  # one query a row
            q_starts, longest = torch.arange(rows + 1, dtype=torch.int32, device=q.device), 1
        tiles = -(-longest // _TILE_QUERIES)
        out = q.new_empty(q.shape)
        sizes = map(np.int32, (rows, self.heads, q.stride(0), k.stride(0), tiles))
        tensors = (q, k, v, out, q_starts, starts)
        self._launch(self._attend, rows * self.heads * tiles, 4, *tensors, *sizes, self._scale)
        return out

    def _launch(self, kernel: Any, warps: int, warps_per_block: int, *arguments: Any) -> None:
        from cuda.core import LaunchConfig, launch

        config = LaunchConfig(grid=-(-warps // warps_per_block), block=warps_per_block * _WARP)
        given = (argument.data_ptr() if isinstance(argument, Tensor) else argument for argument in arguments)
        with torch.cuda.device(self._device):  # another one may be current
            launch(_CurrentStream(), config, kernel, *given)


class _CurrentStream:
    """Torch's current stream, in the words of CUDA's protocol for streams."""

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, torch.cuda.current_stream().cuda_stream
