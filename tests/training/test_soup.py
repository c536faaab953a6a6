"""The mean of classifiers: its weights, what is no part of it, and the folder that training makes of it."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.packing import TokenRows, pack
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.errors import ModelError, UsageError
from emotion_udf.settings.training import OutputSettings, SoupSettings, TrainSettings
from emotion_udf.training.calibrate import fold_in
from emotion_udf.training.export import export
from emotion_udf.training.initialise import PretrainedModel, initialise
from emotion_udf.training.message_tokenizer import make_message_tokenizer
from emotion_udf.training.soup import Soup, average_classifiers, open_ingredients
from emotion_udf.training.train import train
from emotion_udf.training.validation import prepare_validation
from tests.helpers.training import VALIDATION, Trained, corpus

Write = Callable[..., str]


@pytest.fixture
def base(recipe: TrainSettings) -> Path:
    return Path(recipe.base.model)


@pytest.fixture
def tokenizer_text(base: Path) -> str:
    return make_message_tokenizer(base / "tokenizer.json", message_rules=False)


@pytest.fixture
def write(tmp_path: Path, base: Path, tokenizer_text: str) -> Write:
    """Write a classifier of the base, whose head another seed has drawn, and return its folder."""

    def classifier(seed: int, *, temperature: float = 1.0, tokenizer: str = tokenizer_text) -> str:
        start = stored(initialise(base, seed))
        fold_in(start.network, temperature)
        folder = tmp_path / f"seed-{seed}"
        folder.mkdir()
        export(start.network, start.config, {"temperature": temperature}, tokenizer, folder)
        return str(folder)

    return classifier


def stored(start: PretrainedModel) -> PretrainedModel:
    """Round all weights to fp16, as folders hold them."""
    start.network.load_state_dict({name: w.half().float() for name, w in start.network.state_dict().items()})
    return start


def soup_of(folders: list[str], base: Path, weights: Sequence[float] = ()) -> Soup:
    sizes = initialise(base, 0).sizes
    tokenizer = base / "tokenizer.json"
    artifacts = open_ingredients(folders, sizes, make_message_tokenizer(tokenizer, message_rules=False))
    validation = prepare_validation(corpus(), MessageTokenizer(tokenizer, 64))
    return average_classifiers(artifacts, validation, weights)


def test_the_mean_of_one_classifier_is_that_classifier(base: Path, write: Write) -> None:
    wanted = stored(initialise(base, 1)).network.state_dict()
    found = soup_of([write(1)], base).network.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_every_weight_is_the_mean_of_the_classifiers(base: Path, write: Write) -> None:
    wanted = [stored(initialise(base, seed)).network.state_dict() for seed in (1, 2, 3)]
    found = soup_of([write(seed) for seed in (1, 2, 3)], base).network.state_dict()
    for name, weight in found.items():
        torch.testing.assert_close(weight, (wanted[0][name] + wanted[1][name] + wanted[2][name]) / 3)
    assert not torch.equal(found["classifier.weight"], wanted[0]["classifier.weight"])


def test_classifiers_may_have_weights_in_the_mean(base: Path, write: Write) -> None:
    first, second = (stored(initialise(base, seed)).network.state_dict() for seed in (1, 2))
    found = soup_of([write(1), write(2)], base, [3.0, 1.0]).network.state_dict()
    for name, weight in found.items():
        torch.testing.assert_close(weight, (3 * first[name] + second[name]) / 4)


def test_heads_are_averaged_with_their_temperatures(base: Path, write: Write) -> None:
    first, second = (stored(initialise(base, seed)).network.state_dict()["classifier.weight"] for seed in (1, 2))
    found = soup_of([write(1, temperature=0.5), write(2, temperature=4.0)], base).network.classifier.weight
    torch.testing.assert_close(found.detach(), (first / 0.5 + second / 4.0) / 2)


def test_every_classifier_is_measured_by_itself(base: Path, write: Write) -> None:
    soup = soup_of([write(1), write(2)], base)
    assert [one.name for one in soup.ingredients] == ["seed-1", "seed-2"]
    for seed, one in zip((1, 2), soup.ingredients, strict=True):
        classifier = load_classifier(open_artifact(ArtifactSource(str(base.parent / f"seed-{seed}"))))
        found = classifier.score(VALIDATION.texts).probabilities.argmax(axis=1)
        assert one.measured.accuracy == pytest.approx((found == VALIDATION.labels).mean())


def test_classifiers_of_other_sizes_are_refused(base: Path) -> None:
    with pytest.raises(UsageError, match=r"expected the sizes of base\.model in .*, found another; soup\.of names"):
        soup_of(["bundled"], base)


def test_classifiers_of_another_tokenizer_are_refused(base: Path, write: Write, tokenizer_text: str) -> None:
    other = json.dumps(json.loads(tokenizer_text), indent=1)
    assert other != tokenizer_text
    with pytest.raises(UsageError, match=r"expected the tokenizer of base\.model in .*seed-1, found another"):
        soup_of([write(1, tokenizer=other)], base)


def test_a_folder_without_a_classifier_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected a model folder at .*none, found none"):
        soup_of([str(tmp_path / "none")], base)


def test_a_refused_soup_leaves_nothing_behind(recipe: TrainSettings, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError):
        train(recipe.model_copy(update={"soup": SoupSettings(of=["bundled"])}))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_job_writes_a_calibrated_mean_and_says_of_what(recipe: TrainSettings, write: Write, tmp_path: Path) -> None:
    output = OutputSettings(folder=str(tmp_path / "mean"))
    train(recipe.model_copy(update={"soup": SoupSettings(of=[write(1), write(2)]), "output": output}))
    made = open_artifact(ArtifactSource(output.folder))
    assert made.configuration.temperature is not None
    texts = VALIDATION.texts
    mean = soup_of([str(tmp_path / "seed-1"), str(tmp_path / "seed-2")], Path(recipe.base.model)).network
    fold_in(mean, made.configuration.temperature)
    classifier = load_classifier(made)
    ids = classifier.tokenizer.encode(texts).token_ids
    torch.testing.assert_close(
        classifier.engine.probabilities(TokenRows.of(ids)),
        mean_probabilities(mean, ids),
        atol=2e-3,  # the folder holds the mean in fp16
        rtol=0,
    )
    card = (Path(output.folder) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "The weights are the mean of those of 2 classifiers" in card
    assert re.findall(r"^\| (seed-\d) \| [\d.]+ \| [\d.]+ % \|$", card, re.MULTILINE) == ["seed-1", "seed-2"]
    assert "| seed |" not in card
    assert "| epoch |" not in card


def mean_probabilities(network: torch.nn.Module, ids: list[list[int]]) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = network(*pack(ids)).softmax(dim=1)
    return found


def test_training_can_go_on_from_the_mean(trained: Trained, tmp_path: Path) -> None:
    still = trained.settings.optimizer.model_copy(update={"learning_rate": 1e-9, "epochs": 1})
    soup = SoupSettings(of=[str(trained.folder)], train_on=True)
    output = OutputSettings(folder=str(tmp_path / "on"))
    train(trained.settings.model_copy(update={"soup": soup, "optimizer": still, "output": output}))
    before, after = (
        load_classifier(open_artifact(ArtifactSource(str(folder)))).score(VALIDATION.texts).probabilities
        for folder in (trained.folder, output.folder)
    )
    np.testing.assert_allclose(after, before, atol=0.01, rtol=0)
    card = (Path(output.folder) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Training went on from the mean weights of 1 classifiers" in card
    assert "| epoch |" in card
