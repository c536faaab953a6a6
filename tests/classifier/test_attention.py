"""Each row of a packed batch sees its own tokens only."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from emotion_udf.classifier.attention import Attend, GroupedAttention, VarlenAttention, attend_for
from emotion_udf.classifier.packing import find_groups

HEADS, SIZE = 3, 8
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def plain_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of one row by its definition, (queries, heads, size)."""
    weights = torch.einsum("qhs,khs->hqk", q, k).div(SIZE**0.5).softmax(dim=2)
    return torch.einsum("hqk,khs->qhs", weights, v)


def row_by_row(q: Tensor, k: Tensor, v: Tensor, lengths: list[int]) -> Tensor:
    per_row = [1] * len(lengths) if len(q) == len(lengths) else lengths
    parts = (torch.split(q, per_row), torch.split(k, lengths), torch.split(v, lengths))
    rows = zip(*parts, strict=True)
    return torch.cat([plain_attention(*row) for row in rows])


def varlen_by_definition(
    q: Tensor, k: Tensor, v: Tensor, cu_seqlens_q: Tensor, cu_seqlens_k: Tensor, max_q: int, max_k: int
) -> Tensor:
    """What torch's kernel computes on a GPU, written down plainly; it has its arguments."""
    assert cu_seqlens_q.dtype == cu_seqlens_k.dtype == torch.int32
    assert (max_q, max_k) == (int(cu_seqlens_q.diff().max()), int(cu_seqlens_k.diff().max()))
    of_queries = pairwise(cu_seqlens_q.tolist())
    of_keys = pairwise(cu_seqlens_k.tolist())
    borders = zip(of_queries, of_keys, strict=True)
    return torch.cat([plain_attention(q[a:b], k[c:d], v[c:d]) for (a, b), (c, d) in borders])


def varlen(lengths: list[int]) -> VarlenAttention:
    cu_seqlens = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()], dtype=torch.int32)
    return VarlenAttention(varlen_by_definition, cu_seqlens, max(lengths))


@pytest.mark.parametrize("of_first_tokens", [False, True])
@pytest.mark.parametrize("attention", ["grouped", "varlen"])
@given(lengths=LENGTHS)
def test_a_row_sees_its_own_tokens_only(attention: str, of_first_tokens: bool, lengths: list[int]) -> None:
    generator = torch.Generator().manual_seed(sum(lengths))
    tokens = sum(lengths)
    q, k, v = torch.randn(3, tokens, HEADS, SIZE, generator=generator)
    if of_first_tokens:
        q = q[: len(lengths)]
    attend: Attend = GroupedAttention(find_groups(lengths)) if attention == "grouped" else varlen(lengths)
    torch.testing.assert_close(attend(q, k, v), row_by_row(q, k, v, lengths), atol=1e-5, rtol=0)


def test_dropout_drops_weights() -> None:
    q, k, v = torch.ones(3, 64, HEADS, SIZE)
    torch.manual_seed(0)
    dropped = GroupedAttention(find_groups([32, 32]), dropout=0.5)(q, k, v)
    assert not torch.allclose(dropped, torch.ones_like(dropped))


class OnGpu:
    """As much of a tensor on a GPU as is asked for before anything is computed."""

    is_cuda = True
    device = torch.device("cpu")

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


@pytest.mark.parametrize(
    ("x", "dropout", "expected"),
    [
        (OnGpu(torch.bfloat16), 0.0, VarlenAttention),
        (OnGpu(torch.float16), 0.0, VarlenAttention),
        (OnGpu(torch.float32), 0.0, GroupedAttention),
        (OnGpu(torch.bfloat16), 0.1, GroupedAttention),
        (torch.empty(0, dtype=torch.bfloat16), 0.0, GroupedAttention),
    ],
)
def test_the_kernel_is_for_inference_in_half_precision_on_a_gpu(x: Any, dropout: float, expected: type) -> None:
    assert type(attend_for(find_groups([3, 3, 2]), x, dropout)) is expected


def test_the_kernel_is_told_where_each_row_starts() -> None:
    attend = attend_for(find_groups([3, 3, 2, 1]), OnGpu(torch.bfloat16), 0.0)  # type: ignore[arg-type]
    assert isinstance(attend, VarlenAttention)
    assert attend.cu_seqlens.tolist() == [0, 3, 6, 8, 9]
    assert attend.max_seqlen == 3


def test_without_the_kernel_rows_attend_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotion_udf.classifier.attention._varlen_attention", lambda: None)
    assert isinstance(attend_for(find_groups([3]), OnGpu(torch.bfloat16), 0.0), GroupedAttention)  # type: ignore[arg-type]
