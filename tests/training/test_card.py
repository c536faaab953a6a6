"""The card of a training, and whether the bundled classifier's card still tells the truth."""

import re
from pathlib import Path
from typing import cast

import pytest
from huggingface_hub import ModelCard, ModelCardData

from emotion_udf.classifier.artifact import BUNDLED_FOLDER, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.labelled import SourceSettings
from emotion_udf.settings.training import BaseModelSettings, TrainSettings
from emotion_udf.training.card import CARD
from emotion_udf.training.evaluate import Metrics, metrics_of, predict
from emotion_udf.training.run_evaluation import HELD_OUT
from emotion_udf.training.sources import read_source
from emotion_udf.training.train import train
from tests.helpers.training import Trained

IN_THE_HEADER = ("accuracy", "loss", "macro_f1", "weighted_f1")


def load_card(folder: Path) -> ModelCard:
    card: ModelCard = ModelCard.load(folder / CARD)
    return card


def header_metrics(card: ModelCard, dataset: str = "dair-ai/emotion") -> dict[tuple[str, str], float]:
    """Return the header's metrics on a data set by split and name."""
    return {
        (str(result.dataset_split), result.metric_type): result.metric_value
        for result in cast(ModelCardData, card.data).eval_results or []
        if result.dataset_name == dataset
    }


@pytest.fixture(scope="module")
def card(trained: Trained) -> ModelCard:
    return load_card(trained.folder)


def test_the_header_holds_the_metrics_that_training_returned(card: ModelCard, trained: Trained) -> None:
    assert header_metrics(card) == {
        (split, name): round(getattr(trained.metrics(split), name), 4) for split in HELD_OUT for name in IN_THE_HEADER
    }


def test_the_header_says_what_the_hub_shows(card: ModelCard) -> None:
    said = card.data.to_dict()
    assert said["base_model"] == "somebody/tiny-base"
    assert (said["license"], said["license_name"]) == ("other", "educational-and-research-use")
    assert (said["language"], said["library_name"], said["pipeline_tag"]) == (
        "en", "transformers", "text-classification",
    )  # fmt: skip
    assert said["datasets"] == ["dair-ai/emotion"]
    assert said["model-index"][0]["name"] == "model"


def test_how_good_it_is_comes_first(card: ModelCard) -> None:
    headings = re.findall(r"^## (.+)$", card.text, re.MULTILINE)
    assert headings[0] == "How good it is"
    assert headings[-1] == "Data and licences"


def test_the_text_names_base_licences_and_labels(card: ModelCard) -> None:
    assert "somebody/tiny-base and fine-tuned on dair-ai/emotion" in card.text
    assert "- somebody/tiny-base, the base model: MIT" in card.text
    assert "- dair-ai/emotion: educational and research use" in card.text
    assert all(f"{emotion} {number}" in card.text for number, emotion in enumerate(EMOTIONS))
    assert "MiniLM" not in card.content


def test_the_tables_hold_the_metrics_that_training_returned(card: ModelCard, trained: Trained) -> None:
    for split in HELD_OUT:
        m = trained.metrics(split)
        low = m.intervals["accuracy"].low
        high = m.intervals["accuracy"].high
        for row in (
            f"| dair-ai/emotion | {split} | 60 | {100 * m.accuracy:.1f} % | {m.macro_f1:.3f} |",
            f"| dair-ai/emotion | {split} | {100 * m.accuracy:.2f} % ({100 * low:.2f} % to {100 * high:.2f} %) | "
            f"{m.loss:.4f} | {100 * m.macro_f1:.2f} % | {100 * m.weighted_f1:.2f} % |",
        ):
            assert row in card.text
    for emotion, e in trained.metrics("test").emotions.items():
        metrics = " | ".join(f"{100 * value:.1f} %" for value in (e.precision, e.recall, e.f1))
        assert f"| {emotion} | 10 | {metrics} |" in card.text
    assert f"a temperature of {trained.metrics('validation').temperature:.3f}" in card.text
    assert f"from a probability of {trained.metrics('validation').min_confidence:.3f} on" in card.text


def test_every_epoch_is_listed_and_one_is_kept(card: ModelCard) -> None:
    rows = re.findall(r"^\| (\d)( \(kept\))? \| [\d.]+ \| [\d.]+ \| ([\d.]+) % \| \d+ \|$", card.text, re.MULTILINE)
    assert [number for number, _, _ in rows] == ["1", "2"]
    accuracies = [float(accuracy) for _, _, accuracy in rows]
    assert [bool(kept) for _, kept, _ in rows] == [
        place == accuracies.index(max(accuracies)) for place in range(len(rows))
    ]
    for row in ("| batch, epochs | 16, 2 |", "| precision | float32 |", "| seed | 42 |"):
        assert row in card.text


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


def test_the_card_tells_of_rules_smoothing_augmentation_and_average(recipe: TrainSettings) -> None:
    objective = recipe.objective.model_copy(
        update={"label_smoothing": 0.1, "augmentation_share": 0.25, "extra_sentences": 2}
    )
    optimizer = recipe.optimizer.model_copy(update={"average_decay": 0.9, "patience": 2, "epochs": 1})
    base = BaseModelSettings(**recipe.base.model_dump() | {"message_rules": True})
    train(recipe.model_copy(update={"objective": objective, "optimizer": optimizer, "base": base}))
    text = load_card(Path(recipe.output.folder)).text
    for told in (
        "The tokenizer reads emoticons as words and emoji as tokens of their own",
        "Training rewrote sentences",
        "| label smoothing | 0.1 |",
        "| batch, epochs | 16, 1, patience 2 |",
        "decay 0.9 a step",
        "| sentences rewritten in training | 25 % |",
        "measured on the moving average",
        "| extra sentences |",
        "and so are the project's own training sentences",
    ):
        assert told in text


# The bundled card


@pytest.fixture(scope="session")
def measured(data: Path) -> dict[str, Metrics]:
    """The metrics of the bundled classifier on the 4,000 held-out sentences of dair-ai/emotion, now."""
    classifier = load_classifier(open_artifact(ArtifactSource()), "cpu")
    splits = read_source(SourceSettings(name="dair-ai/emotion", path=str(data / "emotion")), wanted=HELD_OUT)
    return {
        split: metrics_of(predict(classifier, labelled), classifier.artifact.configuration)
        for split, labelled in splits.items()
    }


@pytest.mark.slow
def test_the_bundled_card_says_what_is_measured_now(measured: dict[str, Metrics]) -> None:
    expected = {
        (split, name): pytest.approx(getattr(metrics, name), abs=5e-4)
        for split, metrics in measured.items()
        for name in IN_THE_HEADER
    }
    assert header_metrics(load_card(BUNDLED_FOLDER)) == expected


@pytest.mark.slow
def test_the_bundled_classifier_is_accurate(measured: dict[str, Metrics]) -> None:
    assert measured["validation"].accuracy >= 0.94
    assert measured["test"].accuracy >= 0.93


def test_the_bundled_card_tells_the_temperature_and_threshold_of_its_configuration() -> None:
    configuration = open_artifact(ArtifactSource()).configuration
    text = load_card(BUNDLED_FOLDER).text
    assert configuration.temperature is not None
    assert f"a temperature of {configuration.temperature:.3f}" in text
    assert f"from a probability of {configuration.min_confidence:.3f} on" in text
