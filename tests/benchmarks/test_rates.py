"""The formula against torch's own count of what transformers' network executes; the rates on small layers."""

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import DistilBertForSequenceClassification

from benchmarks.inputs import make_model
from benchmarks.rates import linear_rate, square_rate, useful_flops
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.configuration import ModelConfig

SIZES = ModelConfig(dim=96, hidden_dim=384, n_heads=4, n_layers=3, vocab_size=50, max_position_embeddings=64)


@pytest.mark.parametrize("length", [1, 5, 40])
def test_useful_is_what_transformers_executes_without_padding(length: int, tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", {"dim": 96, "hidden_dim": 384, "n_heads": 4, "n_layers": 3})
    network = DistilBertForSequenceClassification.from_pretrained(folder, attn_implementation="eager").train(False)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.full((1, length), 7))
    sizes = open_artifact(ArtifactSource(str(folder))).configuration
    assert useful_flops(sizes, [length]) == counter.get_total_flops()


def test_flops_add_up_over_texts() -> None:
    lengths = [40, 17, 17, 5, 2]
    assert useful_flops(SIZES, lengths) == sum(useful_flops(SIZES, [length]) for length in lengths)
    assert useful_flops(SIZES, []) == 0


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_rates_are_of_a_machine_of_our_time(precision: str) -> None:
    assert 1e6 < linear_rate("cpu", precision, tokens=16, inputs=64, outputs=64) < 1e14
    assert 1e6 < square_rate("cpu", size=64) < 1e14
