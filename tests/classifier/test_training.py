"""From labelled sentences to a finished model folder, on models of a few thousand weights."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, DistilBertForSequenceClassification

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError, ModelError, UsageError
from emotion_udf.settings import BaseModelSettings, DataSettings, OptimiserSettings, OutputSettings, TrainSettings
from emotion_udf.training.data import LabelledTexts, Splits, read_labelled_texts, read_splits
from emotion_udf.training.evaluate import evaluate
from emotion_udf.training.export import export
from emotion_udf.training.fine_tune import Epoch, FineTuned, encode, fine_tune, measure
from emotion_udf.training.initialise import initialise
from emotion_udf.training.train import train

from .conftest import tiny_bert, tiny_distilbert

WORDS = ("gloomy", "happy", "tender", "furious", "scared", "amazed")
FAST = OptimiserSettings(learning_rate=5e-3, batch_size=16, epochs=6, mixed_precision=False)


def sentences(count: int, seed: int) -> LabelledTexts:
    """Sentences of several lengths whose label shows in one word."""
    labels = [i % len(EMOTIONS) for i in range(count)]
    texts = [f"i feel {WORDS[label]} {'so ' * (i % 5)}{seed} {i}" for i, label in enumerate(labels)]
    return LabelledTexts(texts, labels)


SPLITS = Splits(sentences(240, 1), sentences(60, 2), sentences(60, 3), leaked=0)


def write_lines(file: Path, labelled: LabelledTexts) -> None:
    lines = (f"{text};{EMOTIONS[label]}\n" for text, label in zip(labelled.texts, labelled.labels, strict=True))
    file.write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[str], Path]:
    def write(content: str) -> Path:
        file = tmp_path / "labelled.txt"
        file.write_text(content, encoding="utf-8")
        return file

    return write


# Data


def test_the_label_follows_the_last_semicolon(lines: Callable[[str], Path]) -> None:
    labelled = read_labelled_texts(lines("i feel fine;joy\nyes; no; maybe;fear\n"))
    assert labelled == LabelledTexts(["i feel fine", "yes; no; maybe"], [1, 4])
    assert len(labelled) == 2


@pytest.mark.parametrize("line", ["i feel fine;happy", "i feel fine", "i feel fine;", "i feel fine;Joy", ""])
def test_a_line_without_one_of_the_labels_is_named(lines: Callable[[str], Path], line: str) -> None:
    file = lines(f"good;joy\n{line}\ngood;joy\n")
    with pytest.raises(InputError) as caught:
        read_labelled_texts(file)
    assert str(caught.value) == (
        f"{file}, line 2: expected text;label with a label of sadness, joy, love, anger, fear, surprise"
    )


def test_an_empty_file_is_refused(lines: Callable[[str], Path]) -> None:
    file = lines("")
    with pytest.raises(InputError, match="found an empty file"):
        read_labelled_texts(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_labelled_texts(tmp_path / "none.txt")
    assert str(caught.value).startswith(f"expected labelled sentences at {tmp_path}/none.txt, found no such file; ")


def test_sentences_of_the_other_parts_are_left_out_of_training(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a;joy\nb;joy\nb;fear\nc;love\nd;joy\n")
    (tmp_path / "val.txt").write_text("b;joy\n")
    (tmp_path / "test.txt").write_text("c;anger\nx;joy\n")
    splits = read_splits(tmp_path)
    assert splits.train == LabelledTexts(["a", "d"], [1, 1])
    assert splits.validation == LabelledTexts(["b"], [1])
    assert splits.test == LabelledTexts(["c", "x"], [3, 1])
    assert splits.leaked == 3


@pytest.mark.parametrize("line", ["joy", ";joy"])
def test_a_line_without_a_text_is_refused(lines: Callable[[str], Path], line: str) -> None:
    file = lines(f"{line}\n")
    with pytest.raises(InputError):
        read_labelled_texts(file)


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\x1c"])
def test_only_a_newline_ends_a_line(lines: Callable[[str], Path], mark: str) -> None:
    assert read_labelled_texts(lines(f"a{mark}b;joy\n")).texts == [f"a{mark}b"]


# Initialisation


def hidden_states(encoder: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return encoder(input_ids=ids, attention_mask=mask).last_hidden_state


def test_a_bert_encoder_becomes_a_distilbert(tmp_path: Path) -> None:
    bert = tiny_bert()
    bert.save_pretrained(tmp_path)
    model = initialise(tmp_path).train(False)
    ids = torch.randint(1, 30522, (4, 20), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 12:] = 0
    theirs, ours = hidden_states(bert, ids, mask), hidden_states(model.distilbert, ids, mask)
    np.testing.assert_allclose(ours[mask == 1].numpy(), theirs[mask == 1].numpy(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("base", [tiny_bert, tiny_distilbert])
def test_the_head_has_the_six_emotions(tmp_path: Path, base: Callable[[], torch.nn.Module]) -> None:
    base().save_pretrained(tmp_path)
    config = initialise(tmp_path).config
    assert config.id2label == dict(enumerate(EMOTIONS))
    assert config.label2id == {emotion: i for i, emotion in enumerate(EMOTIONS)}


def test_a_distilbert_keeps_its_encoder(tmp_path: Path) -> None:
    base = tiny_distilbert()
    base.distilbert.save_pretrained(tmp_path)
    loaded = initialise(tmp_path).distilbert.state_dict()
    expected = base.distilbert.state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


# Fine-tuning


@pytest.fixture
def start(tmp_path: Path) -> Callable[[], DistilBertForSequenceClassification]:
    """Make the same untrained classifier each time."""
    folder = tmp_path / "start"
    torch.manual_seed(0)
    base = tiny_bert()
    for module in base.modules():
        base._init_weights(module)
    base.save_pretrained(folder)
    model = initialise(folder)
    return lambda: copy.deepcopy(model)


@pytest.fixture
def tokenizer(tokenizer_json: Path) -> MessageTokenizer:
    return MessageTokenizer(tokenizer_json, 64)


Start = Callable[[], DistilBertForSequenceClassification]


def test_a_toy_problem_is_learnt(start: Start, tokenizer: MessageTokenizer) -> None:
    seen: list[Epoch] = []
    tuned = fine_tune(start(), SPLITS, tokenizer, FAST, on_epoch=seen.append)
    assert tuned.best.validation_accuracy >= 0.95
    assert tuned.epochs == seen
    assert [epoch.number for epoch in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[-1].training_loss < seen[0].training_loss


def test_the_weights_of_the_best_epoch_come_back(start: Start, tokenizer: MessageTokenizer) -> None:
    model = start()
    after: dict[int, dict[str, torch.Tensor]] = {}

    def keep(epoch: Epoch) -> None:
        after[epoch.number] = copy.deepcopy(model.state_dict())

    # Many epochs at a high rate: all are right after some, so the first of the best is not the last.
    tuned = fine_tune(model, SPLITS, tokenizer, FAST, on_epoch=keep)
    accuracies = [epoch.validation_accuracy for epoch in tuned.epochs]
    best = accuracies.index(max(accuracies)) + 1
    assert tuned.best.number == best
    assert best < len(accuracies)
    returned = tuned.model.state_dict()
    assert all(torch.equal(returned[name], weight) for name, weight in after[best].items())
    assert not all(torch.equal(returned[name], weight) for name, weight in after[len(accuracies)].items())
    assert measure(tuned.model, encode(SPLITS.validation, tokenizer)) == pytest.approx(
        (tuned.best.validation_loss, tuned.best.validation_accuracy)
    )


def tuned_weights(start: Start, tokenizer: MessageTokenizer, **settings: float) -> dict[str, torch.Tensor]:
    optimiser = OptimiserSettings(**FAST.model_dump() | {"epochs": 1} | settings)
    tuned: FineTuned = fine_tune(start(), SPLITS, tokenizer, optimiser)
    return tuned.model.state_dict()


@pytest.mark.parametrize("mixed_precision", [False, True])
def test_the_same_seed_gives_the_same_weights(start: Start, tokenizer: MessageTokenizer, mixed_precision: bool) -> None:
    first, second = (tuned_weights(start, tokenizer, mixed_precision=mixed_precision) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights(start: Start, tokenizer: MessageTokenizer) -> None:
    first, second = (tuned_weights(start, tokenizer, seed=seed) for seed in (1, 2))
    assert not torch.equal(first["classifier.weight"], second["classifier.weight"])


def test_the_measure_is_loss_and_accuracy(start: Start, tokenizer: MessageTokenizer) -> None:
    model = start().train(False)
    encoded = encode(SPLITS.validation, tokenizer)
    with torch.inference_mode():
        logits = torch.cat([model(input_ids=torch.tensor([ids])).logits for ids in encoded.token_ids])
    labels = torch.tensor(encoded.labels)
    loss, accuracy = measure(model, encoded)
    assert loss == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item(), abs=1e-5)
    assert accuracy == (logits.argmax(dim=1) == labels).double().mean().item()


# Export


def test_what_is_exported_is_loaded_by_transformers_and_by_us(tmp_path: Path, tokenizer_json: Path) -> None:
    model = tiny_distilbert()
    folder = tmp_path / "deep" / "model"
    export(model, tokenizer_json, folder)
    stock = DistilBertForSequenceClassification.from_pretrained(folder)
    assert {weight.dtype for weight in stock.parameters()} == {torch.float32}
    ids = torch.randint(1, 30522, (4, 20), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before, after = model(input_ids=ids).logits, stock(input_ids=ids).logits
    np.testing.assert_allclose(after.numpy(), before.numpy(), atol=2e-2, rtol=0)
    ours = load_classifier(open_artifact(ArtifactSource(str(folder))), "cpu")
    inputs = AutoTokenizer.from_pretrained(folder)("i feel fine", return_tensors="pt")
    with torch.inference_mode():
        expected = stock(**inputs).logits.softmax(dim=1)
    np.testing.assert_allclose(ours.score(["i feel fine"]).probabilities, expected.numpy(), atol=1e-5, rtol=0)


def test_an_export_holds_four_files_and_leaves_nothing_beside_them(tmp_path: Path, tokenizer_json: Path) -> None:
    export(tiny_distilbert(), tokenizer_json, tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert "_name_or_path" not in config
    assert str(tmp_path) not in json.dumps(config)


def test_an_existing_folder_is_not_overwritten(tmp_path: Path, tokenizer_json: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        export(tiny_distilbert(), tokenizer_json, folder)
    assert str(caught.value) == (
        f"expected no folder at {folder}, found one; remove it or set output.folder to a new name"
    )
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_model_that_fails_its_checks_is_not_left_at_the_folder(tmp_path: Path, tokenizer_json: Path) -> None:
    folder = tmp_path / "model"
    wrong = tiny_distilbert(id2label=dict(enumerate(EMOTIONS[::-1])))
    with pytest.raises(ModelError):
        export(wrong, tokenizer_json, folder)
    assert not folder.exists()
    export(tiny_distilbert(), tokenizer_json, folder)
    assert open_artifact(ArtifactSource(str(folder))).folder == folder


def test_the_weights_may_be_read_by_whoever_may_read_the_rest(tmp_path: Path, tokenizer_json: Path) -> None:
    export(tiny_distilbert(), tokenizer_json, tmp_path / "model")
    modes = {path.name: path.stat().st_mode for path in (tmp_path / "model").iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]


# All together


@pytest.fixture
def recipe(tmp_path: Path, tokenizer_json: Path) -> TrainSettings:
    """Settings over a tiny base and small files, writing to `tmp_path / "model"`."""
    base, labelled = tmp_path / "tiny-base", tmp_path / "labelled"
    tiny_bert().save_pretrained(base)
    (base / "tokenizer.json").write_bytes(tokenizer_json.read_bytes())
    labelled.mkdir()
    for name, part in (("train", SPLITS.train), ("val", SPLITS.validation), ("test", SPLITS.test)):
        write_lines(labelled / f"{name}.txt", part)
    with (labelled / "train.txt").open("a", encoding="utf-8") as stream:
        stream.write(f"{SPLITS.test.texts[0]};joy\n")
    return TrainSettings(
        base=BaseModelSettings(name="somebody/tiny-base", licence="MIT", model=str(base)),
        data=DataSettings(folder=str(labelled)),
        optimiser=OptimiserSettings(learning_rate=5e-3, epochs=2),
        output=OutputSettings(folder=str(tmp_path / "model")),
    )


def test_training_leaves_a_model_with_its_card(recipe: TrainSettings) -> None:
    results = train(recipe)
    folder = Path(recipe.output.folder)
    classifier = load_classifier(open_artifact(ArtifactSource(str(folder))), "cpu")
    assert results == {
        "validation": evaluate(classifier, SPLITS.validation),
        "test": evaluate(classifier, SPLITS.test),
    }
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlanguage: en\n")
    assert "initialised from `tiny-base`" in card
    assert "240 sentences; 1 whose text also stands in validation or test were left out" in card
    for name, result in results.items():
        assert f"| {name} | 60 | {result.accuracy:.2%} | {result.loss:.4f} |" in card
    assert card.count("(kept)") == 1
    assert all(f"{emotion} {i}" in card for i, emotion in enumerate(EMOTIONS))


def test_training_refuses_an_existing_folder_first(recipe: TrainSettings) -> None:
    Path(recipe.output.folder).mkdir()
    (Path(recipe.data.folder) / "train.txt").unlink()
    with pytest.raises(UsageError, match="expected no folder at"):
        train(recipe)


def test_training_names_a_base_without_a_tokenizer(recipe: TrainSettings) -> None:
    (Path(recipe.base.model) / "tokenizer.json").unlink()
    with pytest.raises(UsageError) as caught:
        train(recipe)
    assert str(caught.value) == (
        f"expected an encoder with tokenizer.json in {recipe.base.model}, found none; set base.model, or `make base`"
    )
    assert not Path(recipe.output.folder).exists()


def test_the_card_names_the_base_that_was_used(recipe: TrainSettings) -> None:
    train(recipe)
    card = (Path(recipe.output.folder) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "base_model: somebody/tiny-base" in card
    assert "somebody/tiny-base is MIT." in card
    assert "all-MiniLM-L6-v2" not in card


def test_training_twice_with_one_seed_gives_the_same_model(recipe: TrainSettings, tmp_path: Path) -> None:
    again = recipe.model_copy(update={"output": OutputSettings(folder=str(tmp_path / "again"))})
    for settings in (recipe, again):
        train(settings)
    first, second = (open_artifact(ArtifactSource(s.output.folder)) for s in (recipe, again))
    assert first.weights_sha256 == second.weights_sha256
