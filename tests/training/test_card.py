"""The card of a training, and whether the bundled classifier's card still tells the truth."""

import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from emotion_udf.classifier.artifact import BUNDLED_FOLDER, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.training import BaseModelSettings, DataSettings, TrainSettings
from emotion_udf.training.card import CARD
from emotion_udf.training.data import read_parts
from emotion_udf.training.evaluate import Metrics, metrics_of, predict
from emotion_udf.training.train import train
from tests.helpers.training import Trained

IN_THE_HEADER = ("accuracy", "loss", "macro_f1", "weighted_f1")
HELD_OUT = ("validation", "test")


def header_figures(card: ModelCard) -> dict[tuple[str, str], float]:
    """Return the header's figures by part and metric."""
    return {(result.dataset_split, result.metric_type): result.metric_value for result in card.data.eval_results or []}


@pytest.fixture(scope="module")
def card(trained: Trained) -> ModelCard:
    return ModelCard.load(trained.folder / CARD)


def test_the_header_holds_the_figures_that_training_returned(card: ModelCard, trained: Trained) -> None:
    assert header_figures(card) == {
        (part, figure): round(getattr(trained.results[part], figure), 4)
        for part in HELD_OUT
        for figure in IN_THE_HEADER
    }
    assert {result.dataset_name for result in card.data.eval_results} == {"dair-ai/emotion"}


def test_the_header_says_what_the_hub_shows(card: ModelCard) -> None:
    said = card.data.to_dict()
    assert said["base_model"] == "somebody/tiny-base"
    assert (said["license"], said["license_name"]) == ("other", "educational-and-research-use")
    assert (said["language"], said["library_name"], said["pipeline_tag"]) == (
        "en", "transformers", "text-classification",
    )  # fmt: skip
    assert said["datasets"] == ["dair-ai/emotion"]
    assert said["model-index"][0]["name"] == "model"


def test_the_text_names_base_licence_and_labels(card: ModelCard) -> None:
    assert "somebody/tiny-base and fine-tuned on dair-ai/emotion" in card.text
    assert "The base model, somebody/tiny-base, is MIT." in card.text
    assert all(f"{emotion} {number}" in card.text for number, emotion in enumerate(EMOTIONS))
    assert "MiniLM" not in card.content


def test_the_tables_hold_the_figures_that_training_returned(card: ModelCard, trained: Trained) -> None:
    for part in HELD_OUT:
        m = trained.results[part]
        low, high = m.intervals["accuracy"].low, m.intervals["accuracy"].high
        assert (
            f"| {part} | 60 | {100 * m.accuracy:.2f} % ({100 * low:.2f} % to {100 * high:.2f} %) | {m.loss:.4f} | "
            f"{100 * m.macro_f1:.2f} % | {100 * m.weighted_f1:.2f} % |"
        ) in card.text
    for emotion, e in trained.results["test"].emotions.items():
        figures = " | ".join(f"{100 * figure:.1f} %" for figure in (e.precision, e.recall, e.f1))
        assert f"| {emotion} | 10 | {figures} |" in card.text
    assert f"a temperature of {trained.results['validation'].temperature:.3f}" in card.text
    assert f"from a probability of {trained.results['validation'].min_confidence:.3f} on" in card.text


def test_every_epoch_is_listed_and_one_is_kept(card: ModelCard) -> None:
    rows = re.findall(r"^\| (\d)( \(kept\))? \| [\d.]+ \| [\d.]+ \| ([\d.]+) % \| \d+ \|$", card.text, re.MULTILINE)
    assert [number for number, _, _ in rows] == ["1", "2"]
    accuracies = [float(accuracy) for _, _, accuracy in rows]
    assert [bool(kept) for _, kept, _ in rows] == [
        place == accuracies.index(max(accuracies)) for place in range(len(rows))
    ]
    assert "| batch, epochs | 16, 2 |" in card.text
    assert "| learning rate | 0.005, linear schedule, 0 % warm-up |" in card.text
    assert "| precision | float32 |" in card.text
    assert "| seed | 42 |" in card.text


def test_what_was_left_out_of_training_is_counted(card: ModelCard) -> None:
    assert "240 sentences. Left out: 1 that also stand in validation or test (1 of them with another label there)." in (
        card.text
    )


def test_no_placeholder_and_no_path_is_left(card: ModelCard, trained: Trained) -> None:
    for mark in ("{{", "}}", "{%", "%}", "None", "nan", str(trained.folder.parent)):
        assert mark not in card.content
    assert card.content.endswith("\n")
    assert not card.content.endswith("\n\n")
    assert "\n\n\n" not in card.text.strip()


def test_the_card_tells_of_rules_smoothing_noise_and_average(recipe: TrainSettings) -> None:
    objective = recipe.objective.model_copy(update={"label_smoothing": 0.1, "augmentation_share": 0.25})
    optimizer = recipe.optimizer.model_copy(update={"average_decay": 0.9, "patience": 2, "epochs": 1})
    base = BaseModelSettings(**recipe.base.model_dump() | {"message_rules": True})
    train(recipe.model_copy(update={"objective": objective, "optimizer": optimizer, "base": base}))
    text = ModelCard.load(Path(recipe.output.folder) / CARD).text
    for told in (
        "The tokenizer reads emoticons as words and common emoji as tokens of their own",
        "Training rewrote sentences",
        "| label smoothing | 0.1 |",
        "| batch, epochs | 16, 1, patience 2 |",
        "decay 0.9 a step",
        "| sentences rewritten in training | 25 % |",
        "measured on the moving average",
    ):
        assert told in text


# The bundled card


@pytest.fixture(scope="session")
def measured(data: Path) -> dict[str, Metrics]:
    """What the bundled classifier gives on the 4,000 held-out sentences, now."""
    classifier = load_classifier(open_artifact(ArtifactSource()), "cpu")
    parts = read_parts(DataSettings(source=str(data / "emotion")))
    return {part: metrics_of(predict(classifier, parts[part]), classifier.artifact.configuration) for part in HELD_OUT}


def test_the_bundled_card_says_what_is_measured_now(measured: dict[str, Metrics]) -> None:
    expected = {
        (part, figure): pytest.approx(getattr(metrics, figure), abs=5e-4)
        for part, metrics in measured.items()
        for figure in IN_THE_HEADER
    }
    assert header_figures(ModelCard.load(BUNDLED_FOLDER / CARD)) == expected


def test_the_bundled_classifier_is_accurate(measured: dict[str, Metrics]) -> None:
    assert measured["validation"].accuracy >= 0.94
    assert measured["test"].accuracy >= 0.93


def test_the_bundled_card_tells_the_temperature_and_threshold_of_its_configuration() -> None:
    configuration = open_artifact(ArtifactSource()).configuration
    text = ModelCard.load(BUNDLED_FOLDER / CARD).text
    assert configuration.temperature is not None
    assert f"a temperature of {configuration.temperature:.3f}" in text
    assert f"from a probability of {configuration.confident_from:.3f} on" in text
