"""The formulas against torch's own count of what the project's network executes; the rates on small layers."""

from dataclasses import asdict
from multiprocessing.synchronize import Barrier

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.ceiling import executed_flops, linear_rate, on_each_core, square_rate, useful_flops
from benchmarks.inputs import Sizes
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.packing import pack

SIZES = ModelConfig(**asdict(Sizes(dim=96, hidden_dim=384, n_heads=4, n_layers=3, vocab_size=50)))
LENGTHS = [40, 17, 17, 5, 2]


def _counted(sizes: ModelConfig, lengths: list[int]) -> int:
    network = DistilBert(sizes).train(False)
    # The counter knows matrix products, not the CPU's fused attention.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(*pack([[7] * length for length in lengths]))
    return int(counter.get_total_flops())


@pytest.mark.parametrize("lengths", [LENGTHS, [1], [60] * 4])
def test_executed_is_what_torch_counts(lengths: list[int]) -> None:
    assert executed_flops(SIZES, lengths) == pytest.approx(_counted(SIZES, lengths), rel=0.01)


def test_useful_of_one_token_is_each_weight_once_and_two_attention_products() -> None:
    dim, hidden, layers = SIZES.dim, SIZES.hidden_dim, SIZES.n_layers
    layer = 2 * (4 * dim * dim + 2 * dim * hidden) + 4 * dim
    assert useful_flops(SIZES, [1]) == layers * layer + 2 * (dim * dim + 6 * dim)


def test_texts_of_one_token_leave_nothing_to_save() -> None:
    assert executed_flops(SIZES, [1, 1]) == useful_flops(SIZES, [1, 1])


def test_the_last_layer_saves_work_on_longer_texts() -> None:
    assert executed_flops(SIZES, LENGTHS) < useful_flops(SIZES, LENGTHS)


def test_flops_add_up_over_texts() -> None:
    for count in (useful_flops, executed_flops):
        assert count(SIZES, LENGTHS) == sum(count(SIZES, [length]) for length in LENGTHS)
        assert count(SIZES, []) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rates_are_of_a_machine_of_our_time(dtype: torch.dtype) -> None:
    assert 1e6 < linear_rate("cpu", dtype, tokens=16, inputs=64, outputs=64, repeats=3) < 1e14
    assert 1e6 < square_rate("cpu", dtype, size=64, repeats=3) < 1e14


def _fail_on_the_second(core: int, together: Barrier) -> None:
    if core == 1:
        raise ValueError("no such row")
    together.wait(60)


def test_a_failure_ends_the_others_and_is_the_one_told() -> None:
    with pytest.raises(ValueError, match="no such row"):
        on_each_core(2, _fail_on_the_second)
