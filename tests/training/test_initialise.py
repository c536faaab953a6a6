"""Networks to start from: encoders of transformers under a new head."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, cast

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    DistilBertModel,
    RobertaConfig,
    RobertaModel,
)

from emotion_udf.classifier.distilbert import Block, DistilBert
from emotion_udf.classifier.packing import pack
from emotion_udf.classifier.weights import to_transformers
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import ModelError, UsageError
from emotion_udf.settings.training import BaseModelSettings
from emotion_udf.training.initialise import PretrainedModel, find_base, initialise
from tests.helpers.models import random_weights, tiny_bert, tiny_distilbert

FILES = ("config.json", "tokenizer.json", "model.safetensors")
HEAD = ("pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias")


def bert_folder(folder: Path, **changes: Any) -> Path:
    """Save a tiny BERT, and change its configuration afterwards."""
    tiny_bert().save_pretrained(folder)
    return with_config(folder, **changes)


def distilbert_folder(folder: Path, **changes: Any) -> Path:
    tiny_distilbert().distilbert.save_pretrained(folder)
    return with_config(folder, **changes)


def with_config(folder: Path, **changes: Any) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


both_kinds = pytest.mark.parametrize("save", [bert_folder, distilbert_folder], ids=["bert", "distilbert"])
Save = Callable[..., Path]


def rows() -> list[list[int]]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(1, 30522, (length,), generator=generator).tolist() for length in (64, 33, 33, 5, 5, 2, 1)]


def logits_over(encoder: BertModel | DistilBertModel, network: DistilBert) -> NDArray[np.float32]:
    """What the network's head makes of transformers' encoder, one row at a time, so that nothing is padded."""
    with torch.inference_mode():
        states = torch.cat([encoder(input_ids=torch.tensor([row])).last_hidden_state[:, 0] for row in rows()])
        logits: NDArray[np.float32] = network.classifier(F.relu(network.pre_classifier(states))).numpy()
    return logits


def logits_of(network: DistilBert) -> NDArray[np.float32]:
    with torch.inference_mode():
        logits: NDArray[np.float32] = network.eval()(*pack(rows())).numpy()
    return logits


def enlarge_head(network: DistilBert) -> None:
    """Make the head's weights so large that a difference below it shows."""
    random_weights(network.pre_classifier, 1)
    random_weights(network.classifier, 2)


# What is loaded


@pytest.mark.parametrize("make", [tiny_bert, lambda: tiny_distilbert().distilbert], ids=["bert", "distilbert"])
def test_the_network_computes_what_its_encoder_computes(tmp_path: Path, make: Callable[[], Any]) -> None:
    encoder = make()
    encoder.save_pretrained(tmp_path)
    network = initialise(tmp_path, seed=0).network
    enlarge_head(network)
    expected = logits_over(encoder, network)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(logits_of(network), expected, atol=1e-5, rtol=0)


def test_a_distilbert_keeps_its_encoder(tmp_path: Path) -> None:
    base = tiny_distilbert()
    base.distilbert.save_pretrained(tmp_path)
    start = initialise(tmp_path, seed=0)
    loaded = to_transformers(dict(start.network.state_dict()), 2)
    assert all(torch.equal(loaded[f"distilbert.{name}"], w) for name, w in base.distilbert.state_dict().items())


def test_a_base_in_half_precision_is_loaded_in_single(tmp_path: Path) -> None:
    tiny_bert().half().save_pretrained(tmp_path)
    network = initialise(tmp_path, seed=0).network
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}


def test_a_bert_with_a_pooler_and_another_head_is_loaded(tmp_path: Path) -> None:
    encoder = tiny_bert()
    with_more = {f"bert.{name}": weight for name, weight in encoder.state_dict().items()}
    with_more |= {"bert.pooler.dense.weight": torch.zeros(32, 32), "cls.predictions.bias": torch.zeros(30522)}
    encoder.save_pretrained(tmp_path)
    save_file(with_more, tmp_path / "model.safetensors", metadata={"format": "pt"})
    network = initialise(tmp_path, seed=0).network
    enlarge_head(network)
    np.testing.assert_allclose(logits_of(network), logits_over(encoder, network), atol=1e-5, rtol=0)


@both_kinds
def test_the_network_is_as_large_as_its_base(tmp_path: Path, save: Save) -> None:
    sizes = initialise(save(tmp_path), seed=0).sizes
    assert (sizes.dim, sizes.hidden_dim, sizes.n_heads, sizes.n_layers) == (32, 64, 4, 2)
    assert (sizes.vocab_size, sizes.max_position_embeddings) == (30522, 64)
    assert (sizes.temperature, sizes.min_confidence) == (None, 0.5)


@both_kinds
def test_the_head_has_the_six_emotions(tmp_path: Path, save: Save) -> None:
    start = initialise(save(tmp_path), seed=0)
    assert start.network.classifier.out_features == 6
    labels = {int(number): label for number, label in start.config["id2label"].items()}
    assert labels == dict(enumerate(EMOTIONS))
    assert start.config["label2id"] == {emotion: i for i, emotion in enumerate(EMOTIONS)}
    assert start.config["model_type"] == "distilbert"


@both_kinds
def test_the_network_loads_in_transformers_by_its_config(tmp_path: Path, save: Save) -> None:
    start = initialise(save(tmp_path), seed=0)
    enlarge_head(start.network)
    stock = DistilBertForSequenceClassification(DistilBertConfig(**start.config))
    stock.load_state_dict(to_transformers(dict(start.network.state_dict()), start.sizes.n_layers))
    with torch.inference_mode():
        expected = torch.cat([stock.train(False)(input_ids=torch.tensor([row])).logits for row in rows()])
    np.testing.assert_allclose(logits_of(start.network), expected.numpy(), atol=1e-5, rtol=0)


def test_what_training_drops_comes_from_the_base(tmp_path: Path) -> None:
    folder = distilbert_folder(tmp_path, dropout=0.3, attention_dropout=0.25, seq_classif_dropout=0.4)
    network = initialise(folder, seed=0).network
    assert (network.dropout.p, network.head_dropout.p) == (0.3, 0.4)
    assert (network.attention_dropout, {cast(Block, block).dropout.p for block in network.blocks}) == (0.25, {0.3})


def test_a_bert_is_trained_with_distilberts_dropout(tmp_path: Path) -> None:
    network = initialise(bert_folder(tmp_path), seed=0).network
    assert (network.dropout.p, network.head_dropout.p) == (0.1, 0.2)


# The head


def head_of(start: PretrainedModel) -> torch.Tensor:
    weights = start.network.state_dict()
    return torch.cat([weights[name].flatten() for name in HEAD])


@both_kinds
def test_the_same_seed_gives_the_same_head(tmp_path: Path, save: Save) -> None:
    folder = save(tmp_path)
    first, second = (initialise(folder, seed=3).network.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@both_kinds
def test_another_seed_gives_another_head_over_the_same_encoder(tmp_path: Path, save: Save) -> None:
    folder = save(tmp_path)
    first, second = (initialise(folder, seed).network.state_dict() for seed in (1, 2))
    assert {name for name in first if not torch.equal(first[name], second[name])} == {
        "pre_classifier.weight",
        "classifier.weight",
    }


def test_the_head_of_a_classifier_is_not_kept(tmp_path: Path) -> None:
    base = tiny_distilbert()
    base.save_pretrained(tmp_path)
    first, second = (head_of(initialise(tmp_path, seed)) for seed in (1, 2))
    assert not torch.equal(first, second)


def test_a_classifier_of_other_labels_is_a_base_too(tmp_path: Path) -> None:
    base = tiny_distilbert(id2label={0: "negative", 1: "positive"}, label2id={"negative": 0, "positive": 1})
    base.save_pretrained(tmp_path)
    network = initialise(tmp_path, seed=0).network
    enlarge_head(network)
    np.testing.assert_allclose(logits_of(network), logits_over(base.distilbert, network), atol=1e-5, rtol=0)


# What is refused


def refusal(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        initialise(folder, seed=0)
    return str(caught.value)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    config = RobertaConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    RobertaModel(config).save_pretrained(tmp_path)
    assert refusal(tmp_path) == (
        f"expected an encoder of the distilbert or bert architecture in {tmp_path}, found roberta"
    )


@pytest.mark.parametrize(
    ("save", "changes"),
    [(bert_folder, {"hidden_act": "relu"}), (distilbert_folder, {"activation": "relu"})],
    ids=["bert", "distilbert"],
)
def test_another_activation_is_refused(tmp_path: Path, save: Save, changes: dict[str, str]) -> None:
    assert refusal(save(tmp_path, **changes)) == (
        f"expected the activation gelu in {tmp_path}, found relu; the network has no other"
    )


def test_another_epsilon_is_refused(tmp_path: Path) -> None:
    tiny = BertConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        layer_norm_eps=0.1,
    )
    BertModel(tiny, add_pooling_layer=False).save_pretrained(tmp_path)
    refusal(tmp_path)


def unreadable(folder: Path) -> str:
    return f"expected an encoder in {folder}, found files that transformers cannot load"


@both_kinds
@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model_type": "nonsense"}'])
def test_a_configuration_that_cannot_be_read_is_refused(tmp_path: Path, save: Save, content: str) -> None:
    folder = save(tmp_path)
    (folder / "config.json").write_text(content)
    assert refusal(folder) == unreadable(folder)


@both_kinds
def test_weights_that_are_not_there_are_refused(tmp_path: Path, save: Save) -> None:
    folder = save(tmp_path)
    (folder / "model.safetensors").unlink()
    assert refusal(folder) == unreadable(folder)


@both_kinds
def test_weights_that_can_run_code_are_refused(tmp_path: Path, save: Save) -> None:
    folder = save(tmp_path)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert refusal(folder) == unreadable(folder)


@both_kinds
@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\0" * 100])
def test_weights_that_are_damaged_are_refused(tmp_path: Path, save: Save, content: bytes) -> None:
    folder = save(tmp_path)
    (folder / "model.safetensors").write_bytes(content)
    assert refusal(folder) == unreadable(folder)


@pytest.mark.parametrize(
    ("save", "changes"),
    [
        (bert_folder, {"hidden_size": 64}),
        (bert_folder, {"num_attention_heads": 5}),
        (distilbert_folder, {"dim": 64}),
        (distilbert_folder, {"n_heads": 5}),
        (distilbert_folder, {"vocab_size": 100}),
    ],
)
def test_weights_of_another_shape_are_refused(tmp_path: Path, save: Save, changes: dict[str, int]) -> None:
    folder = save(tmp_path, **changes)
    assert refusal(folder) == unreadable(folder)


@pytest.mark.parametrize(
    ("save", "changes"), [(bert_folder, {"num_hidden_layers": 3}), (distilbert_folder, {"n_layers": 3})]
)
def test_a_base_that_lacks_a_layer_is_refused(tmp_path: Path, save: Save, changes: dict[str, int]) -> None:
    refusal(save(tmp_path, **changes))


@pytest.mark.parametrize(
    ("save", "changes"), [(bert_folder, {"num_hidden_layers": 1}), (distilbert_folder, {"n_layers": 1})]
)
def test_a_base_with_a_surplus_layer_is_refused(tmp_path: Path, save: Save, changes: dict[str, int]) -> None:
    refusal(save(tmp_path, **changes))


@both_kinds
def test_a_base_that_lacks_a_weight_is_refused(tmp_path: Path, save: Save) -> None:
    folder = save(tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights.pop("embeddings.word_embeddings.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    refusal(folder)


# Where the base is


def base(model: Path | str, revision: str | None = None) -> BaseModelSettings:
    return BaseModelSettings(name="a base", license="MIT", model=str(model), revision=revision)


def refused_base(model: Path | str) -> str:
    with pytest.raises(UsageError) as caught:
        find_base(base(model))
    return str(caught.value)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A folder that has the files of a base."""
    folder = tmp_path / "whole"
    folder.mkdir()
    for name in FILES:
        (folder / name).touch()
    return folder


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if anything is asked of the Hub, or of its local copies."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the Hub was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)


@pytest.mark.usefixtures("no_hub")
def test_a_local_folder_is_taken_as_it_is(whole: Path) -> None:
    assert find_base(base(whole)) == whole


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("model", ["whole", "owner/name"])
def test_a_local_folder_wins_over_a_hub_id(whole: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.chdir(whole.parent)
    Path(model).parent.mkdir(exist_ok=True)
    whole.rename(model)
    assert find_base(base(model)) == Path(model)


@pytest.mark.usefixtures("no_hub")
def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert refused_base(tmp_path / "none") == (
        f"expected an encoder in the folder {tmp_path}/none, found no such folder; set base.model"
    )


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("missing", [["config.json"], ["tokenizer.json"], ["model.safetensors"], list(FILES)])
def test_missing_files_are_named(whole: Path, missing: list[str]) -> None:
    for name in missing:
        (whole / name).unlink()
    assert refused_base(whole) == f"expected an encoder in {whole}, found no {', '.join(missing)}; set base.model"


@pytest.mark.parametrize("model", ["distilbert/distilbert-base-uncased", "distilbert-base-uncased"])
@pytest.mark.parametrize("revision", [None, "main"])
def test_a_hub_id_is_downloaded(whole: Path, monkeypatch: pytest.MonkeyPatch, model: str, revision: str | None) -> None:
    asked: list[dict[str, Any]] = []

    def download(hub_id: str, **options: Any) -> str:
        asked.append({"hub_id": hub_id, **options})
        if options["local_files_only"]:
            raise LocalEntryNotFoundError("not here")
        return str(whole)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert find_base(base(model, revision)) == whole
    request = {"hub_id": model, "revision": revision, "repo_type": "model", "allow_patterns": list(FILES)}
    assert asked == [request | {"local_files_only": True}, request | {"local_files_only": False}]


def test_a_repository_without_safetensors_is_refused(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole / "model.safetensors").unlink()
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(whole))
    assert refused_base("owner/name") == f"expected an encoder in {whole}, found no model.safetensors; set base.model"


@pytest.mark.parametrize("model", ["owner/name", "distilbert-base-uncased"])
def test_a_hub_that_gives_no_base_is_a_model_error(monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    def download(*_: Any, **__: Any) -> NoReturn:
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(ModelError, match=f"expected to load {model} at its main branch from the Hub, found neither"):
        find_base(base(model))
