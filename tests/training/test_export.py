"""From a trained network to a folder that this project and stock transformers read alike."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, DistilBertForSequenceClassification

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.configuration import DEFAULT_MIN_CONFIDENCE, ModelConfig, read_configuration
from emotion_udf.classifier.recorded import read_recorded
from emotion_udf.classifier.weights import load_distilbert
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import ModelError
from emotion_udf.probes import canary_sentences
from emotion_udf.training.export import export, record_canary
from emotion_udf.training.initialise import PretrainedModel, initialise
from tests.helpers.models import tiny_distilbert

OWN = {"temperature": 1.25, "min_confidence": 0.815}
TEXTS = ["i feel fine", "", "a" * 300, "so " * 100, "I'm scared!!! 😱"]


@pytest.fixture
def begun(tmp_path_factory: pytest.TempPathFactory) -> PretrainedModel:
    """A network of random weights with what transformers says of it."""
    base = tmp_path_factory.mktemp("base")
    tiny_distilbert().save_pretrained(base)
    return initialise(base, seed=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    place = tmp_path / "model"
    place.mkdir()
    return place


def exported(begun: PretrainedModel, folder: Path, tokenizer_json: Path, own: dict[str, Any] | None = None) -> Path:
    given = OWN if own is None else own
    export(begun.network.eval(), begun.config, given, tokenizer_json.read_text(encoding="utf-8"), folder)
    return folder


def configuration_of(folder: Path) -> ModelConfig:
    return open_artifact(ArtifactSource(str(folder))).configuration


def test_stock_transformers_and_we_read_the_same_probabilities(
    begun: PretrainedModel, folder: Path, tokenizer_json: Path
) -> None:
    exported(begun, folder, tokenizer_json)
    stock = DistilBertForSequenceClassification.from_pretrained(folder).train(False)
    assert {weight.dtype for weight in stock.parameters()} == {torch.float32}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ours = load_classifier(open_artifact(ArtifactSource(str(folder))), "cpu")
    for text, probabilities in zip(TEXTS, ours.score(TEXTS).probabilities, strict=True):
        with torch.inference_mode():
            expected = stock(**tokenizer(text, return_tensors="pt", truncation=True)).logits.softmax(dim=1)
        np.testing.assert_allclose(probabilities[None], expected.numpy(), atol=1e-5, rtol=0)


def test_weights_are_those_of_the_network_within_half_precision(
    begun: PretrainedModel, folder: Path, tokenizer_json: Path
) -> None:
    exported(begun, folder, tokenizer_json)
    again = load_distilbert(begun.sizes, folder / "model.safetensors").state_dict()
    for name, weight in begun.network.state_dict().items():
        np.testing.assert_array_equal(again[name].numpy(), weight.half().float().numpy(), err_msg=name)
    stock = DistilBertForSequenceClassification.from_pretrained(folder)
    assert stock.config.id2label == dict(enumerate(EMOTIONS))


def test_an_export_holds_four_files_and_no_path_of_this_machine(
    begun: PretrainedModel, folder: Path, tokenizer_json: Path
) -> None:
    exported(begun, folder, tokenizer_json)
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert (folder / "tokenizer.json").read_text(encoding="utf-8") == tokenizer_json.read_text(encoding="utf-8")
    config = (folder / "config.json").read_text(encoding="utf-8")
    assert "_name_or_path" not in config
    assert "/" not in config
    tokenizer_config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert tokenizer_config["model_max_length"] == 64


def test_what_is_exported_twice_is_the_same(begun: PretrainedModel, tmp_path: Path, tokenizer_json: Path) -> None:
    prints = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        exported(begun, tmp_path / name, tokenizer_json)
        prints.append(open_artifact(ArtifactSource(str(tmp_path / name))).fingerprint)
    assert prints[0] == prints[1]


def test_every_file_may_be_read_by_whoever_may_read_the_rest(
    begun: PretrainedModel, folder: Path, tokenizer_json: Path
) -> None:
    exported(begun, folder, tokenizer_json)
    other = folder / "other.txt"
    other.write_text("as any file")
    assert {file.stat().st_mode for file in folder.iterdir()} == {other.stat().st_mode}


def test_the_canary_is_recorded_as_the_exported_weights_answer(
    begun: PretrainedModel, folder: Path, tokenizer_json: Path
) -> None:
    artifact = open_artifact(ArtifactSource(str(exported(begun, folder, tokenizer_json))))
    record_canary(load_classifier(artifact, "cpu"))
    recorded = read_recorded(folder, artifact.weights_sha256)
    assert recorded is not None
    answers = load_classifier(artifact, "cpu").score([text for text, _ in canary_sentences()])
    np.testing.assert_allclose(recorded, answers.probabilities, atol=1e-5, rtol=0)
    assert open_artifact(ArtifactSource(str(folder))).fingerprint == artifact.fingerprint


def test_a_network_of_other_labels_is_refused(begun: PretrainedModel, folder: Path, tokenizer_json: Path) -> None:
    begun.config["id2label"] = dict(enumerate(EMOTIONS[::-1]))
    with pytest.raises(ModelError, match="expected the labels sadness, joy, love, anger, fear, surprise in this order"):
        exported(begun, folder, tokenizer_json)


# What transformers has no name for


def test_temperature_and_threshold_are_read_again(begun: PretrainedModel, folder: Path, tokenizer_json: Path) -> None:
    found = configuration_of(exported(begun, folder, tokenizer_json, OWN | {"message_rules": 1}))
    assert (found.temperature, found.min_confidence) == (1.25, 0.815)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["emotion_udf"] == OWN | {"message_rules": 1}


@pytest.mark.parametrize("own", [{}, {"temperature": 2}])
def test_a_model_without_a_threshold_has_the_usual_one(
    begun: PretrainedModel, folder: Path, tokenizer_json: Path, own: dict[str, Any]
) -> None:
    found = configuration_of(exported(begun, folder, tokenizer_json, own))
    assert found.min_confidence == DEFAULT_MIN_CONFIDENCE == 0.5
    assert found.temperature == own.get("temperature")


@pytest.mark.parametrize("threshold", [0, 0.0, 1, 1.0])
def test_a_threshold_may_be_nothing_or_everything(
    begun: PretrainedModel, folder: Path, tokenizer_json: Path, threshold: float
) -> None:
    found = configuration_of(exported(begun, folder, tokenizer_json, {"min_confidence": threshold}))
    assert found.min_confidence == threshold
    assert type(found.min_confidence) is float


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"temperature": 0}, "temperature from 0.001 to 1000.0 in {}, found 0"),
        ({"temperature": -1.5}, "temperature from 0.001 to 1000.0 in {}, found -1.5"),
        ({"temperature": 1e4}, "temperature from 0.001 to 1000.0 in {}, found 10000.0"),
        ({"temperature": True}, "temperature from 0.001 to 1000.0 in {}, found True"),
        ({"temperature": "1.5"}, "temperature from 0.001 to 1000.0 in {}, found '1.5'"),
        ({"temperature": [1.5]}, "temperature from 0.001 to 1000.0 in {}, found [1.5]"),
        ({"temperature": float("nan")}, "temperature from 0.001 to 1000.0 in {}, found nan"),
        ({"temperature": float("inf")}, "temperature from 0.001 to 1000.0 in {}, found inf"),
        ({"min_confidence": 1.01}, "min_confidence from 0.0 to 1.0 in {}, found 1.01"),
        ({"min_confidence": -0.1}, "min_confidence from 0.0 to 1.0 in {}, found -0.1"),
        ({"min_confidence": False}, "min_confidence from 0.0 to 1.0 in {}, found False"),
        ({"min_confidence": "high"}, "min_confidence from 0.0 to 1.0 in {}, found 'high'"),
        ("odd", "temperature from 0.001 to 1000.0 in {}, found 'odd'"),
        ([0.5], "temperature from 0.001 to 1000.0 in {}, found [0.5]"),
    ],
)
def test_odd_values_are_refused(
    begun: PretrainedModel, folder: Path, tokenizer_json: Path, own: Any, message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        exported(begun, folder, tokenizer_json, own)
    assert str(caught.value) == "expected emotion_udf." + message.format(folder / "config.json")


def test_the_section_may_be_null(begun: PretrainedModel, folder: Path, tokenizer_json: Path) -> None:
    file = exported(begun, folder, tokenizer_json) / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"emotion_udf": None}), encoding="utf-8")
    assert read_configuration(file).temperature is None
