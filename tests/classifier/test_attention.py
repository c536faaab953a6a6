"""Each row of a packed batch sees its own tokens only."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from emotion_udf.classifier.attention import Attend, AttendInRuns, AttendUnpadded, attend_for
from emotion_udf.classifier.packing import find_runs

HEADS, SIZE = 3, 8
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=12)


def plain_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of one row by its definition, (queries, heads, size)."""
    weights = torch.einsum("qhs,khs->hqk", q, k).div(SIZE**0.5).softmax(dim=2)
    return torch.einsum("hqk,khs->qhs", weights, v)


def row_by_row(q: Tensor, k: Tensor, v: Tensor, lengths: list[int]) -> Tensor:
    per_row = [1] * len(lengths) if len(q) == len(lengths) else lengths
    rows = zip(q.split(per_row), k.split(lengths), v.split(lengths), strict=True)
    return torch.cat([plain_attention(*row) for row in rows])


def varlen_by_definition(
    q: Tensor, k: Tensor, v: Tensor, starts_q: Tensor, starts_k: Tensor, longest_q: int, longest_k: int
) -> Tensor:
    """What torch's kernel computes on a GPU, written down plainly; it has its arguments."""
    assert starts_q.dtype == starts_k.dtype == torch.int32
    assert (longest_q, longest_k) == (int(starts_q.diff().max()), int(starts_k.diff().max()))
    borders = zip(starts_q.tolist(), starts_q[1:].tolist(), starts_k.tolist(), starts_k[1:].tolist(), strict=False)
    return torch.cat([plain_attention(q[a:b], k[c:d], v[c:d]) for a, b, c, d in borders])


def unpadded(lengths: list[int]) -> AttendUnpadded:
    starts = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()], dtype=torch.int32)
    return AttendUnpadded(varlen_by_definition, starts, max(lengths))


@pytest.mark.parametrize("of_first_tokens", [False, True])
@pytest.mark.parametrize("kind", ["in runs", "unpadded"])
@given(lengths=LENGTHS)
def test_a_row_sees_its_own_tokens_only(kind: str, of_first_tokens: bool, lengths: list[int]) -> None:
    generator = torch.Generator().manual_seed(sum(lengths))
    tokens = sum(lengths)
    q, k, v = torch.randn(3, tokens, HEADS, SIZE, generator=generator)
    if of_first_tokens:
        q = q[: len(lengths)]
    attend: Attend = AttendInRuns(find_runs(lengths)) if kind == "in runs" else unpadded(lengths)
    torch.testing.assert_close(attend(q, k, v), row_by_row(q, k, v, lengths), atol=1e-5, rtol=0)


def test_dropout_drops_weights() -> None:
    q, k, v = torch.ones(3, 64, HEADS, SIZE)
    torch.manual_seed(0)
    dropped = AttendInRuns(find_runs([32, 32]), dropout=0.5)(q, k, v)
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
        (OnGpu(torch.bfloat16), 0.0, AttendUnpadded),
        (OnGpu(torch.float16), 0.0, AttendUnpadded),
        (OnGpu(torch.float32), 0.0, AttendInRuns),
        (OnGpu(torch.bfloat16), 0.1, AttendInRuns),
        (torch.empty(0, dtype=torch.bfloat16), 0.0, AttendInRuns),
    ],
)
def test_the_kernel_is_for_inference_in_half_precision_on_a_gpu(x: Any, dropout: float, expected: type) -> None:
    assert type(attend_for(find_runs([3, 3, 2]), x, dropout)) is expected


def test_the_kernel_is_told_where_each_row_starts() -> None:
    attend = attend_for(find_runs([3, 3, 2, 1]), OnGpu(torch.bfloat16), 0.0)  # type: ignore[arg-type]
    assert isinstance(attend, AttendUnpadded)
    assert attend.starts.tolist() == [0, 3, 6, 8, 9]
    assert attend.longest == 3


def test_without_the_kernel_rows_attend_in_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotion_udf.classifier.attention._varlen_attention", lambda: None)
    assert isinstance(attend_for(find_runs([3]), OnGpu(torch.bfloat16), 0.0), AttendInRuns)  # type: ignore[arg-type]
