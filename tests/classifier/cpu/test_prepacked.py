"""Prepacked layers compute what the plain ones do: in fp32, which every CPU packs; bf16 needs instructions for it."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.cpu.prepacked import PrepackedLinear, can_prepack, prepack
from emotion_udf.classifier.packing import pack
from emotion_udf.classifier.precision import choose_training_precision
from emotion_udf.classifier.weights import load_distilbert

pytestmark = pytest.mark.skipif(not can_prepack(torch.float32), reason="torch without oneDNN")


@pytest.mark.parametrize(("activation", "module"), [("none", nn.Identity()), ("gelu", nn.GELU())])
@pytest.mark.parametrize("tokens", [1, 7, 64])
def test_a_layer_computes_what_it_takes_the_place_of(activation: str, module: nn.Module, tokens: int) -> None:
    torch.manual_seed(1)
    linear, x = nn.Linear(48, 96), torch.randn(tokens, 48)
    with torch.inference_mode():
        torch.testing.assert_close(PrepackedLinear(linear, activation)(x), module(linear(x)), atol=1e-5, rtol=1e-5)


def test_a_prepacked_network_says_the_same(bundled: Classifier) -> None:
    artifact = open_artifact(ArtifactSource())
    plain = load_distilbert(artifact.configuration, artifact.folder / "model.safetensors")
    packed = copy.deepcopy(plain)
    prepack(packed)
    rows = bundled.tokenizer.encode(["i feel so happy today", "i am furious", "where is my order?"]).token_ids
    with torch.inference_mode():
        expected, found = plain(*pack(rows)).numpy(), packed(*pack(rows)).numpy()
    assert not np.array_equal(expected, np.zeros_like(expected))
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
    assert sum(isinstance(module, PrepackedLinear) for module in packed.modules()) == 4 * (len(plain.blocks) - 1)


def test_only_types_that_the_cpu_computes_in_are_packed() -> None:
    assert not can_prepack(torch.float16)
    if choose_training_precision("auto", torch.device("cpu")) is torch.bfloat16:
        assert can_prepack(torch.bfloat16)
