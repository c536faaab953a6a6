"""Layers in 16-bit integers: what is computed exactly, what rounding may change, and where they cannot be used."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.cpu import int16
from emotion_udf.classifier.cpu.int16 import (
    Int16FeedForward,
    Int16Linear,
    can_use_int16,
    largest_tile,
    max_l2_norm,
    require_int16,
)
from emotion_udf.classifier.distilbert import FeedForward
from emotion_udf.errors import DeviceError

if TYPE_CHECKING:
    from emotion_udf.classifier.cpu.int16_kernels import Tile

Whole = NDArray[np.int16]

CONFIG = ModelConfig(
    dim=32, hidden_dim=64, n_heads=4, n_layers=1, vocab_size=30_522, max_position_embeddings=64
)  # fmt: skip

needs_kernels = pytest.mark.skipif(not can_use_int16(CONFIG), reason="needs AVX2 and llvmlite")


@pytest.fixture(params=["NARROW", "WIDE"])
def tile(request: pytest.FixtureRequest) -> "Tile":
    """The tiles of both kernels, AVX2's and AVX-512's, where the processor has registers for them."""
    from emotion_udf.classifier.cpu import int16_kernels

    found: Tile = getattr(int16_kernels, request.param)
    if found.columns > largest_tile(found.columns).columns:
        pytest.skip("needs AVX-512")
    return found


def linear(inputs: int, outputs: int, seed: int = 1) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(inputs, outputs)


def multiply(tile: "Tile", left: Whole, right: Whole, scale: float, gelu: bool = False) -> NDArray[np.float32]:
    """Run a kernel on rows (R, K) and columns (N, K) of whole numbers; each row has the scale, each column one."""
    from emotion_udf.classifier.cpu.int16_kernels import kernels

    (rows, inputs), outputs = left.shape, len(right)
    padded = np.pad(left, ((0, -rows % tile.rows), (0, 0)))
    by_pairs = right.reshape(outputs // tile.columns, tile.columns, inputs // 2, 2)
    packed = np.ascontiguousarray(by_pairs.transpose(0, 2, 1, 3))
    ones, zeros = np.ones(outputs, dtype=np.float32), np.zeros(outputs, dtype=np.float32)
    scales = np.full(len(padded), scale, dtype=np.float32)
    out = np.empty((len(padded), outputs), dtype=np.float32)
    addresses = [array.ctypes.data for array in (padded, packed, scales, ones, zeros, out)]
    compiled = kernels(tile)
    (compiled.multiply_gelu if gelu else compiled.multiply)(*addresses, rows, inputs, outputs)
    return out[:rows]


def rounding(x: Tensor, layer: nn.Linear) -> Tensor:
    """The most that rounding both sides may change, (T, outputs), and some of fp32's own."""
    width = x.shape[1]

    def scales(rows: Tensor) -> Tensor:
        return torch.maximum(rows.norm(dim=1) / max_l2_norm(width), rows.abs().amax(dim=1) / 32_767)

    of_rows, of_columns = scales(x)[:, None], scales(layer.weight)[None]
    half_of_rows = of_rows * layer.weight.abs().sum(dim=1)[None]
    half_of_columns = of_columns * x.abs().sum(dim=1)[:, None]
    most: Tensor = 0.51 * (half_of_rows + half_of_columns + width * of_rows * of_columns)
    return most + 1e-5 * (x.abs() @ layer.weight.abs().T + layer.bias.abs())


@needs_kernels
@pytest.mark.parametrize(("inputs", "outputs"), [(16, 16), (48, 96), (384, 1536), (3072, 768)])
@pytest.mark.parametrize("tokens", [1, 5, 6, 7, 191, 192, 193, 400])
def test_a_layer_says_what_the_plain_one_says_but_for_rounding(inputs: int, outputs: int, tokens: int) -> None:
    layer = linear(inputs, outputs)
    x = torch.randn(tokens, inputs)
    with torch.inference_mode():
        found, expected = Int16Linear(layer)(x), layer(x)
    assert found.shape == expected.shape
    assert ((found - expected).abs() <= rounding(x, layer)).all()
    assert (found - expected).abs().max() < 2e-3 * expected.abs().max()


@needs_kernels
@settings(max_examples=60)
@given(
    width=st.sampled_from([16, 32, 768, 3072]),
    spikes=st.lists(st.tuples(st.integers(0, 3071), st.floats(-1e4, 1e4, width=32)), max_size=4),
    level=st.floats(-3, 3, width=32),
    magnitude=st.sampled_from([1e-20, 1e-3, 1.0, 1e6]),
    turned=st.booleans(),
)
def test_no_sum_overflows_whatever_the_numbers(
    width: int, spikes: list[tuple[int, float]], level: float, magnitude: float, turned: bool
) -> None:
    """A row of inputs along a column of weights, or against it, has the largest sum that there is."""
    row = torch.full((width,), level)
    for place, value in spikes:
        row[place % width] = value
    layer = linear(width, 16)
    with torch.inference_mode():
        layer.weight[3] = row
        x = torch.stack([row, torch.ones(width), torch.zeros(width)]) * (-magnitude if turned else magnitude)
        found, expected = Int16Linear(layer)(x), layer(x.double().float())
        assert ((found - expected).abs() <= rounding(x, layer)).all()


@needs_kernels
def test_a_row_of_zeros_gives_the_bias_and_what_is_no_number_stays_in_its_row() -> None:
    layer = linear(32, 16)
    x = torch.zeros(8, 32)
    x[5, 7] = math.nan
    with torch.inference_mode():
        found = Int16Linear(layer)(x)
    assert torch.equal(found[:5], layer.bias.expand(5, -1))
    assert found[5].isnan().all()
    assert not found[6:].isnan().any()


@needs_kernels
def test_a_row_is_the_same_in_any_company() -> None:
    layer = Int16Linear(linear(48, 96))
    x = torch.randn(400, 48)
    with torch.inference_mode():
        whole = layer(x)
        alone = torch.cat([layer(row[None]) for row in x[::37]])
    assert torch.equal(whole[::37], alone)


@needs_kernels
def test_a_part_of_the_outputs_is_that_part() -> None:
    layer = Int16Linear(linear(48, 96))
    x = torch.randn(20, 48)
    with torch.inference_mode():
        assert torch.equal(layer.part(x, 32, 96), layer(x)[:, 32:])


@needs_kernels
def test_rows_that_do_not_lie_together_are_read_as_they_are() -> None:
    layer = Int16Linear(linear(48, 96))
    x = torch.randn(48, 20).T
    with torch.inference_mode():
        assert torch.equal(layer(x), layer(x.contiguous()))


@needs_kernels
@pytest.mark.parametrize("tokens", [1, 200])
def test_the_feed_forward_part_says_what_the_plain_one_says(tokens: int) -> None:
    torch.manual_seed(2)
    plain, x = FeedForward(64, 256), torch.randn(tokens, 64)
    with torch.inference_mode():
        torch.testing.assert_close(Int16FeedForward(plain)(x), plain(x), atol=2e-4, rtol=0)


@needs_kernels
@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 16, 32), (12, 48, 96), (13, 384, 1152), (31, 3072, 768)])
def test_sums_of_products_are_those_of_whole_numbers(tile: "Tile", rows: int, inputs: int, outputs: int) -> None:
    """With scales of one and no bias a product is the very sum, here below 2^24, which fp32 holds exactly."""
    numbers = np.random.default_rng(rows)
    most = math.isqrt(2**24 // inputs)
    left, right = (numbers.integers(-most, most + 1, (n, inputs)).astype(np.int16) for n in (rows, outputs))
    found = multiply(tile, left, right, scale=1)
    np.testing.assert_array_equal(found, left.astype(np.int64) @ right.astype(np.int64).T)


@needs_kernels
def test_sums_may_have_31_bits(tile: "Tile") -> None:
    """One product of the greatest numbers there are, and two of them with a sign that comes off in the end."""
    left = np.full((5, 16), 32_767, dtype=np.int16)
    right = np.zeros((32, 16), dtype=np.int16)
    right[:, 0] = 32_767
    right[1, 1] = right[2, 2] = right[3, 3] = 32_767
    right[2, 4] = right[3, 4] = -32_767
    right[3, 5] = -32_767
    expected = (left.astype(np.int64) @ right.astype(np.int64).T).astype(np.float32)
    np.testing.assert_array_equal(multiply(tile, left, right, scale=1), expected)


@needs_kernels
def test_the_gelu_is_right_to_2e_5(tile: "Tile") -> None:
    """Weights of one each, so that a layer's output is its input's GELU, on a grid of all inputs."""
    grid = np.arange(-32_767, 32_767, dtype=np.int16)[: 65_532 // 32 * 32].reshape(-1, 32)
    scale = 12 / 32_767
    found = multiply(tile, grid, np.eye(32, dtype=np.int16), scale, gelu=True)
    expected = nn.functional.gelu(torch.from_numpy(grid * scale)).numpy()
    assert np.abs(found - expected).max() < 2e-5
    assert abs(found[0, 0]) < 1e-6  # at -12
    assert found[-1, -1] == pytest.approx(grid[-1, -1] * scale)


@needs_kernels
def test_a_layer_of_either_kernel_says_what_the_plain_one_says(tile: "Tile") -> None:
    layer, x = linear(48, 96), torch.randn(100, 48)
    with torch.inference_mode():
        found, expected = Int16Linear(layer, tile=tile)(x), layer(x)
    assert ((found - expected).abs() <= rounding(x, layer)).all()


@needs_kernels
def test_threads_change_nothing() -> None:
    layer, x = Int16Linear(linear(48, 96)), torch.randn(1_000, 48)
    with torch.inference_mode():
        one = layer(x)
        torch.set_num_threads(2)
        try:
            two = layer(x)
        finally:
            torch.set_num_threads(1)
    assert torch.equal(one, two)


@needs_kernels
def test_the_bundled_classifier_gives_the_same_labels(bundled: Classifier) -> None:
    texts = ["i feel so happy today", "i am furious", "where is my order?", "i feel strange and I don't know why"] * 50
    fast = load_classifier(open_artifact(ArtifactSource()), "cpu", precision="int16")
    assert fast.engine_name == "torch int16 on cpu"
    expected, found = bundled.score(texts).probabilities, fast.score(texts).probabilities
    assert (expected.argmax(axis=1) == found.argmax(axis=1)).all()
    assert not np.array_equal(expected, found)
    np.testing.assert_allclose(found, expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize("width", [16, 384, 768, 3072, 16_384])
def test_what_rounding_adds_to_two_vectors_leaves_their_product_below_two_to_31(width: int) -> None:
    assert (max_l2_norm(width) + math.sqrt(width) / 2) ** 2 < 2**31 - 1


@pytest.mark.parametrize(
    ("device", "config", "has", "llvmlite", "message"),
    [
        ("cuda", CONFIG, {"avx2": True}, True, "a CPU, found the device cuda"),
        ("cpu", CONFIG, {}, True, "a processor with AVX2, found none"),
        ("cpu", CONFIG, {"avx2": True}, False, "llvmlite, found none in this Python; install emotion-udf[int16]"),
        (
            "cpu",
            ModelConfig(
                dim=24, hidden_dim=64, n_heads=4, n_layers=1, vocab_size=30_522, max_position_embeddings=64
            ),
            {"avx2": True},
            True,
            "widths in multiples of 16, found 24 and 64",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    config: ModelConfig,
    has: dict[str, bool],
    llvmlite: bool,
    message: str,
) -> None:
    finds: Callable[[str], object] = lambda name: object() if llvmlite else None  # noqa: ARG005, E731
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    monkeypatch.setattr(int16, "find_spec", finds)
    with pytest.raises(DeviceError) as caught:
        require_int16(device, config)
    assert str(caught.value) == f"precision = 'int16' expects {message}; or choose fp32 or auto"
    if device == "cpu":
        assert not can_use_int16(config)


@needs_kernels
def test_kernels_that_do_not_compile_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from emotion_udf.classifier.cpu import int16_kernels

    def refuse(tile: "Tile") -> None:  # noqa: ARG001
        raise OSError("no memory may be executed")

    monkeypatch.setattr(int16_kernels, "kernels", refuse)
    assert not can_use_int16(CONFIG)
    with pytest.raises(DeviceError, match="found OSError: no memory may be executed; or choose fp32 or auto"):
        require_int16("cpu", CONFIG)
