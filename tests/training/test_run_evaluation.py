"""Figures, pictures and the worst errors as files, of tiny classifiers."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import GateError, InputError, ModelError, UsageError
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.training import DataSettings
from emotion_udf.training.augmentation import REWRITES
from emotion_udf.training.data import LabelledTexts
from emotion_udf.training.evaluate import Metrics
from emotion_udf.training.probes import Probes
from emotion_udf.training.run_evaluation import THRESHOLD_METRICS, parse_thresholds, run_evaluation
from tests.helpers.models import tiny_distilbert
from tests.helpers.training import Trained, write_lines

FILES = ["confusion.png", "metrics.json", "reliability.png", "worst_errors.csv"]


def run(model: Path, source: Path, out: Path, part: str = "test", **options: Any) -> Metrics:
    classifier, data = (
        ClassifierSettings(model=str(model), device="cpu", precision="fp32"),
        DataSettings(source=str(source)),
    )
    return run_evaluation(classifier, data, part, out, **{"thresholds": {}} | options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A folder with a few test sentences and nothing else."""
    folder = tmp_path / "labelled"
    folder.mkdir()
    write_lines(folder / "test.txt", LabelledTexts(TEST.texts[:12], TEST.labels[:12]))
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def untrained(tmp_path: Path, tokenizer_json: Path) -> Path:
    """A classifier of random weights, without a temperature or threshold of its own."""
    folder = tmp_path / "untrained"
    tiny_distilbert().save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(tokenizer_json.read_bytes())
    return folder


# What is written


def test_figures_are_those_of_training_and_stand_in_the_file(trained: Trained, out: Path) -> None:
    returned = run(trained.folder, Path(trained.settings.data.source), out)
    assert returned.model_copy(update={"samples_per_s": 0.0}) == trained.results["test"].model_copy(
        update={"samples_per_s": 0.0}
    )
    written = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert list(written) == [
        *("model", "model_fingerprint", "engine", "data", "part"),
        *Metrics.model_fields,
        *Probes.model_fields,
    ]
    assert Metrics.model_validate({name: written[name] for name in Metrics.model_fields}) == returned
    assert (written["model"], written["data"]) == (str(trained.folder), trained.settings.data.source)
    assert written["part"] == "test"
    assert len(written["model_fingerprint"]) == 32
    assert names(out) == FILES
    for picture in ("confusion.png", "reliability.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_noise_is_measured_when_it_is_asked_for(trained: Trained, labelled: Path, out: Path) -> None:
    run(trained.folder, labelled, out, augmentation=True)
    noise = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["augmentation"]
    assert list(noise) == [*REWRITES, "mixed"]
    assert {frozenset(measured) for measured in noise.values()} == {frozenset({"changed", "accuracy", "kept"})}


def test_the_worst_errors_are_at_most_50_wrong_labels_the_worst_first(
    untrained: Path, trained: Trained, out: Path
) -> None:
    source = Path(trained.settings.data.source)
    metrics = run(untrained, source, out, part="train")
    assert metrics.sentences == 241
    assert metrics.temperature != 1  # fitted on validation, as this classifier has none of its own
    wrong = metrics.sentences - round(metrics.accuracy * metrics.sentences)
    assert wrong > 50
    with (out / "worst_errors.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["text", "emotion", "label", "confidence", "probability_of_emotion", "loss"]
    assert len(rows) == 50
    losses = [float(row["loss"]) for row in rows]
    assert losses == sorted(losses, reverse=True)
    right = dict(zip(TRAIN.texts, TRAIN.labels, strict=True))
    for row in rows:
        assert row["emotion"] != row["label"]
        assert {row["emotion"], row["label"]} <= set(EMOTIONS)
        assert row["emotion"] == EMOTIONS[right.get(row["text"], 1)]  # the leaked sentence is joy there
        assert float(row["probability_of_emotion"]) <= float(row["confidence"])


def test_texts_with_commas_quotes_and_lines_are_kept_whole(untrained: Path, tmp_path: Path, out: Path) -> None:
    texts = ['one, "two"', "three; four", "fünf 😱"]
    source = tmp_path / "odd"
    source.mkdir()
    write_lines(source / "test.txt", LabelledTexts([text for text in texts for _ in EMOTIONS], [*range(6)] * 3))
    run(untrained, source, out)
    with (out / "worst_errors.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 15
    assert {row["text"] for row in rows} == set(texts)


def test_other_files_of_the_folder_stay(trained: Trained, labelled: Path, out: Path) -> None:
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "metrics.json").write_text("old")
    run(trained.folder, labelled, out)
    assert names(out) == sorted([*FILES, "notes.txt"])
    assert (out / "notes.txt").read_text() == "mine"
    assert json.loads((out / "metrics.json").read_text(encoding="utf-8"))["sentences"] == 12


# Floors


def test_a_figure_below_its_floor_is_refused_with_files_written(trained: Trained, labelled: Path, out: Path) -> None:
    with pytest.raises(GateError) as caught:
        run(trained.folder, labelled, out, thresholds={"accuracy": 0.0, "macro_f1": 0.9999})
    written = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert str(caught.value) == (
        "expected at least accuracy=0.0, macro_f1=0.9999, found "
        f"accuracy={written['accuracy']:.4f}, macro_f1={written['macro_f1']:.4f}"
    )
    assert names(out) == FILES
    # Exactly at the floor is enough.
    run(trained.folder, labelled, out, thresholds={name: written[name] for name in THRESHOLD_METRICS})


def test_floors_are_read() -> None:
    assert parse_thresholds([]) == {}
    assert parse_thresholds(["accuracy=0.93", "macro_f1=1", "weighted_f1=0"]) == {
        "accuracy": 0.93,
        "macro_f1": 1.0,
        "weighted_f1": 0.0,
    }
    assert parse_thresholds(["accuracy=0.5", "accuracy=0.9"]) == {"accuracy": 0.9}


@pytest.mark.parametrize(
    "floor",
    [
        *("accuracy", "accuracy=", "=0.9", "", "accuracy=high", "accuracy=93%", "accuracy=93", "accuracy=-0.1"),
        *("accuracy=nan", "accuracy=inf", "accuracy=0.9=1", "loss=0.2", "Accuracy=0.9", "f1=0.9"),
    ],
)
def test_another_floor_is_refused(floor: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_thresholds(["accuracy=0.5", floor])
    assert str(caught.value) == (
        "expected --at-least NAME=VALUE with a name of accuracy, macro_f1, weighted_f1 and a value from 0 to 1, "
        f"found {floor!r}"
    )


# What cannot be measured


def test_a_part_that_is_not_there_is_named(trained: Trained, labelled: Path, out: Path) -> None:
    with pytest.raises(InputError) as caught:
        run(trained.folder, labelled, out, part="validation")
    assert str(caught.value) == f"expected the part validation in {labelled}, found test; choose with --part"
    assert not out.exists()


def test_sentences_of_one_emotion_are_refused(trained: Trained, labelled: Path, out: Path) -> None:
    (labelled / "test.txt").write_text("i feel fine;joy\ni feel good;joy\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        run(trained.folder, labelled, out)
    assert str(caught.value) == (
        f"expected sentences of several emotions in the part test of {labelled}, found only joy; "
        "no figure would mean anything"
    )
    assert not out.exists()


def test_a_model_that_is_not_there_is_refused_first(tmp_path: Path, out: Path) -> None:
    with pytest.raises(ModelError, match="expected a model folder at"):
        run(tmp_path / "nowhere", tmp_path / "no-data", out)
    assert not out.exists()


@pytest.mark.parametrize(("place", "found"), [("out", "File exists"), ("out/deeper", "Not a directory")])
def test_a_file_where_the_folder_should_be_is_refused(
    trained: Trained, labelled: Path, tmp_path: Path, place: str, found: str
) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError) as caught:
        run(trained.folder, labelled, tmp_path / place)
    assert str(caught.value) == (
        f"expected a folder to write to at {tmp_path / place}, found {found}; name another with --out"
    )
    assert names(tmp_path) == ["labelled", "out"]
    assert (tmp_path / "out").read_text() == "mine"
