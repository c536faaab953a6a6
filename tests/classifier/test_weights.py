"""Transformers' weights and ours: the same numbers under other names."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import DistilBertForSequenceClassification

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.weights import from_transformers, load_distilbert, to_transformers
from emotion_udf.errors import ModelError
from tests.helpers.models import random_weights, tiny_distilbert

LAYER = "distilbert.transformer.layer"
CONFIG = ModelConfig(dim=8, hidden_dim=16, n_heads=2, n_layers=2, vocab_size=20, max_position_embeddings=10)
SHAPE = {"dim": 8, "hidden_dim": 16, "n_heads": 2, "vocab_size": 20, "max_position_embeddings": 10}


def stock(layers: int = 2) -> dict[str, Tensor]:
    model: DistilBertForSequenceClassification = tiny_distilbert(**SHAPE, n_layers=layers)
    return dict(model.state_dict())


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("layers", [1, 2, 11])
def test_transformers_weights_come_back(layers: int) -> None:
    theirs = stock(layers)
    assert same(to_transformers(from_transformers(theirs, layers), layers), theirs)


def test_our_weights_come_back() -> None:
    network = DistilBert(CONFIG)
    random_weights(network, 1)
    ours = dict(network.state_dict())
    assert same(from_transformers(to_transformers(ours, 2), 2), ours)


def test_renamed_weights_are_all_that_the_network_has() -> None:
    network = DistilBert(CONFIG)
    assert same(
        {name: torch.zeros(w.shape) for name, w in from_transformers(stock(), 2).items()},
        {name: torch.zeros(w.shape) for name, w in network.state_dict().items()},
    )


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_query_key_and_value_lie_in_this_order(name: str) -> None:
    theirs = stock()
    ours = from_transformers(theirs, 2)
    for layer in range(2):
        q, k, v = ours[f"blocks.{layer}.attention.qkv.{name}"].chunk(3)
        for part, found in (("q", q), ("k", k), ("v", v)):
            assert torch.equal(found, theirs[f"{LAYER}.{layer}.attention.{part}_lin.{name}"])


@pytest.mark.parametrize("name", sorted(stock()))
def test_a_missing_weight_of_transformers_is_named(name: str) -> None:
    theirs = stock()
    del theirs[name]
    with pytest.raises(KeyError) as caught:
        from_transformers(theirs, 2)
    assert caught.value.args == (name,)


@pytest.mark.parametrize("name", sorted(DistilBert(CONFIG).state_dict()))
def test_a_missing_weight_of_ours_is_named(name: str) -> None:
    ours = dict(DistilBert(CONFIG).state_dict())
    del ours[name]
    with pytest.raises(KeyError) as caught:
        to_transformers(ours, 2)
    assert caught.value.args == (name,)


@pytest.mark.parametrize("layers", [1, 10])
def test_a_surplus_layer_is_refused(layers: int) -> None:
    with pytest.raises(KeyError) as caught:
        from_transformers(stock(layers + 1), layers)
    assert caught.value.args[0].startswith(f"{LAYER}.{layers}.")


def test_other_heads_are_left_behind() -> None:
    theirs = stock()
    with_another_head = theirs | {"vocab_projector.weight": torch.zeros(20, 8), "qa_outputs.bias": torch.zeros(2)}
    assert same(from_transformers(with_another_head, 2), from_transformers(theirs, 2))


def test_renaming_copies_no_embedding() -> None:
    theirs = stock()
    ours = from_transformers(theirs, 2)
    assert ours["words.weight"] is theirs["distilbert.embeddings.word_embeddings.weight"]


def test_loading_weights_does_not_load_torchs_compiler() -> None:
    """It takes most of a second and 33 MiB, in each worker."""
    code = (
        "import sys; from emotion_udf.classifier.artifact import ArtifactSource, open_artifact; "
        "from emotion_udf.classifier.classifier import load_classifier; "
        "load_classifier(open_artifact(ArtifactSource()), 'cpu').score(['hello']); "
        "sys.exit(bool({'torch._dynamo', 'torch.fx.experimental.symbolic_shapes', 'sympy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_named(tmp_path: Path, value: float) -> None:
    theirs = stock()
    theirs["classifier.bias"][3] = value
    save_file(theirs, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"NaN or infinity in classifier\.bias"):
        load_distilbert(CONFIG, tmp_path / "model.safetensors")
