"""The packed model against transformers' own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import DistilBertForSequenceClassification

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.engine import TorchEngine
from emotion_udf.classifier.packing import TokenRows, pack
from emotion_udf.classifier.weights import load_distilbert
from emotion_udf.errors import ModelError
from tests.helpers.models import tiny_distilbert

LENGTHS = [64, 33, 33, 33, 17, 5, 5, 3, 2, 2, 1]


def random_rows(lengths: list[int], vocabulary: int = 30522) -> list[list[int]]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(1, vocabulary, (length,), generator=generator).tolist() for length in lengths]


def stock_logits(model: DistilBertForSequenceClassification, rows: list[list[int]]) -> NDArray[np.float32]:
    """Transformers' logits (B, 6), one row at a time, so that nothing is padded."""
    with torch.inference_mode():
        logits: Tensor = torch.cat([model(input_ids=torch.tensor([row])).logits for row in rows])
    return logits.numpy()


def packed_logits(model: DistilBert, rows: list[list[int]]) -> NDArray[np.float32]:
    with torch.inference_mode():
        logits: Tensor = model(*pack(rows))
    return logits.numpy()


def open_tiny(folder: Path) -> DistilBert:
    return load_distilbert(open_artifact(ArtifactSource(str(folder))).configuration, folder / "model.safetensors")


@pytest.mark.parametrize("order", ["falling", "rising", "mixed"])
def test_logits_are_those_of_transformers(tiny_folder: Path, order: str) -> None:
    lengths = {"falling": LENGTHS, "rising": LENGTHS[::-1], "mixed": [*LENGTHS[::2], *LENGTHS[1::2]]}[order]
    rows = random_rows(lengths)
    stock = DistilBertForSequenceClassification.from_pretrained(tiny_folder)
    expected = stock_logits(stock, rows)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(packed_logits(open_tiny(tiny_folder), rows), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "shape", [{"n_layers": 1, "n_heads": 1, "dim": 8, "hidden_dim": 8}, {"n_layers": 3, "n_heads": 8, "dim": 64}]
)
def test_other_shapes_agree_too(tmp_path: Path, tokenizer_json: Path, shape: dict[str, int]) -> None:
    stock = tiny_distilbert(seed=3, **shape)
    stock.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(tokenizer_json.read_bytes())
    rows = random_rows(LENGTHS)
    np.testing.assert_allclose(packed_logits(open_tiny(tmp_path), rows), stock_logits(stock, rows), atol=1e-5, rtol=0)


def test_probabilities_are_the_softmax_of_the_logits(tiny_folder: Path) -> None:
    engine = TorchEngine(open_artifact(ArtifactSource(str(tiny_folder))), "cpu")
    rows = random_rows(LENGTHS)
    stock = DistilBertForSequenceClassification.from_pretrained(tiny_folder)
    expected = torch.from_numpy(stock_logits(stock, rows)).softmax(dim=1).numpy()
    probabilities = engine.probabilities(TokenRows.of(rows)).numpy()
    assert probabilities.shape == (len(rows), 6)
    assert probabilities.dtype.name == "float32"
    np.testing.assert_allclose(probabilities, expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_weights_in_half_precision_are_computed_with_in_single(tiny_folder: Path) -> None:
    file = tiny_folder / "model.safetensors"
    halved = {name: tensor.half() for name, tensor in load_file(file).items()}
    save_file(halved, file, metadata={"format": "pt"})
    stock = DistilBertForSequenceClassification.from_pretrained(tiny_folder, dtype=torch.float32)
    rows = random_rows(LENGTHS)
    model = open_tiny(tiny_folder)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    np.testing.assert_allclose(packed_logits(model, rows), stock_logits(stock, rows), atol=1e-5, rtol=0)


def test_the_loaded_model_does_not_train(tiny_folder: Path) -> None:
    model = open_tiny(tiny_folder)
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


def refuse_to_load(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        open_tiny(folder)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not safetensors at all", b"\xff" * 8 + b"{}"])
def test_a_file_that_is_no_safetensors_is_refused(tiny_folder: Path, content: bytes) -> None:
    file = tiny_folder / "model.safetensors"
    file.write_bytes(content)
    message = refuse_to_load(tiny_folder)
    assert message.startswith(f"expected the weights of config.json in {file}, found a damaged file or other weights (")
    assert message.endswith("; take the model folder from its source again")


def test_a_truncated_file_is_refused(tiny_folder: Path) -> None:
    file = tiny_folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    assert "found a damaged file or other weights" in refuse_to_load(tiny_folder)


@pytest.mark.parametrize(
    "changes",
    [{"dim": 64}, {"hidden_dim": 32}, {"n_layers": 3}, {"vocab_size": 100}, {"max_position_embeddings": 128}],
)
def test_weights_of_another_shape_are_refused(edit_config: Callable[..., Path], changes: dict[str, int]) -> None:
    assert "found a damaged file or other weights" in refuse_to_load(edit_config(**changes))


def test_a_missing_weight_is_refused(tiny_folder: Path) -> None:
    file = tiny_folder / "model.safetensors"
    weights = load_file(file)
    weights.pop("pre_classifier.bias")
    save_file(weights, file, metadata={"format": "pt"})
    assert "found a damaged file or other weights" in refuse_to_load(tiny_folder)


def test_another_activation_is_refused(edit_config: Callable[..., Path]) -> None:
    folder = edit_config(activation="relu")
    with pytest.raises(ModelError, match=r"expected the activation gelu in \S*config\.json, found 'relu'"):
        open_tiny(folder)


def test_more_layers_than_the_configuration_counts_are_refused(edit_config: Callable[..., Path]) -> None:
    refuse_to_load(edit_config(n_layers=1))


@pytest.mark.parametrize("key", ["dim", "n_heads", "n_layers", "hidden_dim", "vocab_size", "max_position_embeddings"])
def test_an_incomplete_configuration_is_refused(edit_config: Callable[..., Path], key: str) -> None:
    refuse_to_load(edit_config(**{key: None}))


def test_heads_that_do_not_divide_the_width_are_refused(edit_config: Callable[..., Path]) -> None:
    refuse_to_load(edit_config(n_heads=5))
