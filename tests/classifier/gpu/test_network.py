"""The network for GPUs, with its kernels written down plainly, so that the order of work is tested on any machine."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.gpu.kernels import make_kernels
from emotion_udf.classifier.gpu.network import GpuDistilBert
from emotion_udf.classifier.packing import pack

SIZES = ModelConfig(64, 96, 2, 3, 50, 200)


class PlainKernels:
    """What the kernels compute, by torch."""

    heads = SIZES.n_heads

    def __init__(self) -> None:
        self.attended: list[int] = []

    def add_norm(self, x: Tensor, a: Tensor, norm: nn.LayerNorm) -> Tensor:
        out: Tensor = norm(x + a)
        return out

    def embed_norm(self, words: Tensor, positions: Tensor, ids: Tensor, places: Tensor, norm: nn.LayerNorm) -> Tensor:
        out: Tensor = norm(words[ids] + positions[places])
        return out

    def attend(self, q: Tensor, k: Tensor, v: Tensor, *, starts: Tensor, longest: int) -> Tensor:
        assert starts.dtype == torch.int32
        assert longest == int(starts.diff().max())
        self.attended.append(len(q))
        borders = list(pairwise(starts.tolist()))
        of_queries = borders if len(q) == len(k) else list(pairwise(range(len(starts))))
        return torch.cat(
            [self._row(q[a:b], k[c:d], v[c:d]) for (a, b), (c, d) in zip(of_queries, borders, strict=True)]
        )

    def _row(self, *qkv: Tensor) -> Tensor:
        q, k, v = (part.view(len(part), self.heads, -1).transpose(0, 1) for part in qkv)
        return F.scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1)


@pytest.fixture(scope="module")
def plain() -> DistilBert:
    torch.manual_seed(1)
    return DistilBert(SIZES).eval().requires_grad_(False)


def rows_of(lengths: Sequence[int]) -> list[list[int]]:
    return [[(7 * place + length) % SIZES.vocab_size for place in range(length)] for length in lengths]


@pytest.mark.parametrize(("lengths", "by_own_kernel"), [([1], 3), ([9, 9, 5, 3, 3, 1], 3), ([150, 120, 2], 0)])
def test_it_computes_what_the_plain_network_does(
    monkeypatch: pytest.MonkeyPatch, plain: DistilBert, lengths: list[int], by_own_kernel: int
) -> None:
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: tensor)  # which needs a GPU
    kernels = PlainKernels()
    batch = pack(rows_of(lengths))
    found = GpuDistilBert(plain, kernels)(*batch)  # type: ignore[arg-type]
    torch.testing.assert_close(found, plain(*batch), atol=1e-5, rtol=1e-5)
    assert len(kernels.attended) == by_own_kernel, "long rows are FlashAttention's"
    assert not by_own_kernel or kernels.attended == [sum(lengths), sum(lengths), len(lengths)]


def test_there_are_no_kernels_on_a_cpu() -> None:
    assert make_kernels(SIZES, torch.device("cpu"), torch.bfloat16) is None


def test_there_are_none_for_fp32_and_for_other_heads() -> None:
    assert make_kernels(SIZES, torch.device("cuda"), torch.float32) is None
    assert make_kernels(ModelConfig(64, 96, 4, 3, 50, 200), torch.device("cuda"), torch.bfloat16) is None
