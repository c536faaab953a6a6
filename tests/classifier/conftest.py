"""The bundled classifier, small models with random weights, and model folders to spoil."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertForSequenceClassification

from emotion_udf.classifier.artifact import BUNDLED_FOLDER, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.emotions import EMOTIONS

TINY: dict[str, Any] = {
    "vocab_size": 30522,
    "max_position_embeddings": 64,
    "id2label": dict(enumerate(EMOTIONS)),
    "label2id": {emotion: i for i, emotion in enumerate(EMOTIONS)},
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Compute on one core, as Spark's workers do; several threads on a busy machine wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def bundled() -> Classifier:
    return load_classifier(open_artifact(ArtifactSource()), "cpu")


def random_weights(model: torch.nn.Module, seed: int) -> None:
    """Fill a model with weights large enough that every one of them changes the output."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2)


def tiny_distilbert(seed: int = 0, **config: Any) -> DistilBertForSequenceClassification:
    """A DistilBERT classifier of 2 layers and width 32."""
    shape = {"n_layers": 2, "n_heads": 4, "dim": 32, "hidden_dim": 64}
    model = DistilBertForSequenceClassification(DistilBertConfig(**TINY | shape | config))
    random_weights(model, seed)
    return model.train(False)


def tiny_bert(seed: int = 0) -> BertModel:
    """A BERT encoder of the same shape."""
    config = BertConfig(
        vocab_size=TINY["vocab_size"],
        max_position_embeddings=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        hidden_size=32,
        intermediate_size=64,
    )
    model = BertModel(config, add_pooling_layer=False)
    random_weights(model, seed)
    return model.train(False)


@pytest.fixture
def tokenizer_json() -> Path:
    return BUNDLED_FOLDER / "tokenizer.json"


@pytest.fixture
def tiny_folder(tmp_path: Path, tokenizer_json: Path) -> Path:
    """A model folder as transformers writes it, with the bundled tokenizer."""
    folder = tmp_path / "tiny"
    tiny_distilbert().save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(tokenizer_json.read_bytes())
    return folder


@pytest.fixture
def edit_config(tiny_folder: Path) -> Callable[..., Path]:
    """Change keys of the tiny folder's `config.json`; None removes one."""

    def edit(**changes: Any) -> Path:
        file = tiny_folder / "config.json"
        config = json.loads(file.read_text(encoding="utf-8")) | changes
        file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}), encoding="utf-8")
        return tiny_folder

    return edit
