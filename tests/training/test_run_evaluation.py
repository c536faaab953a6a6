"""Metrics, pictures and the worst errors as files, of tiny classifiers."""

import csv
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from emotion_udf.classifier.artifact import open_artifact
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import GateError, InputError, ModelError, UsageError
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.labelled import DataSettings
from emotion_udf.training.augmentation import REWRITES
from emotion_udf.training.by_source import SetMetrics
from emotion_udf.training.labels import NEUTRAL, LabelledTexts
from emotion_udf.training.run_evaluation import THRESHOLD_METRICS, parse_thresholds, run_evaluation
from tests.helpers.models import tiny_distilbert
from tests.helpers.training import TEST, TRAIN, VALIDATION, Trained, write_lines

FILES = ["confusion.png", "evaluation.json", "reliability.png", "worst_errors.csv"]


def run(model: Path, source: Path | DataSettings, out: Path, split: str = "test", **options: Any) -> list[SetMetrics]:
    classifier = ClassifierSettings(model=str(model), device="cpu", precision="fp32")
    data = source if isinstance(source, DataSettings) else DataSettings(source=str(source))
    return run_evaluation(classifier, data, [split], out, **{"thresholds": {}} | options)  # type: ignore[list-item]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read_json(out: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    return content


def read_worst(out: Path) -> list[dict[str, str]]:
    with (out / "worst_errors.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A folder with a few test sentences and nothing else."""
    write_lines(tmp_path / "labelled" / "test.txt", TEST.take(range(12)))
    return tmp_path / "labelled"


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


# One set


def test_metrics_are_those_of_training_and_stand_in_the_file(trained: Trained, out: Path) -> None:
    (returned,) = run(trained.folder, Path(str(trained.settings.data.source)), out)
    assert returned.emotions
    speed = {"samples_per_s": 0.0}
    assert returned.emotions.model_copy(update=speed) == trained.metrics("test").model_copy(update=speed)
    written = read_json(out)
    assert [SetMetrics.model_validate(one) for one in written["sets"]] == [returned]
    artifact = open_artifact(ClassifierSettings(model=str(trained.folder)).source)
    assert written["model_fingerprint"] == artifact.fingerprint
    assert written["min_confidence"] == artifact.configuration.min_confidence
    assert written["emotions"] == list(EMOTIONS)
    assert written["model"] == str(trained.folder)
    assert set(written["probes"]) == {"canary_accuracy", "neutral_set_aside", "neutral_sentences"}
    assert names(out) == FILES
    for picture in ("confusion.png", "reliability.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_training_leaves_the_same_evaluation_beside_the_model(trained: Trained) -> None:
    written = read_json(trained.folder)
    assert [SetMetrics.model_validate(one) for one in written["sets"]] == trained.results
    assert [one.split for one in trained.results] == ["validation", "test"]


def test_rewritten_sentences_are_measured_when_asked_for(trained: Trained, labelled: Path, out: Path) -> None:
    run(trained.folder, labelled, out, augmentation=True)
    (found,) = read_json(out)["augmentation"].values()
    assert list(found) == [*REWRITES, "mixed"]
    assert {frozenset(measured) for measured in found.values()} == {frozenset({"changed", "accuracy", "kept"})}


def test_the_worst_errors_are_at_most_50_wrong_labels_the_worst_first(
    untrained: Path, trained: Trained, out: Path
) -> None:
    (metrics,) = run(untrained, Path(str(trained.settings.data.source)), out, split="train")
    assert metrics.emotions
    assert metrics.emotions.sentences == 241
    assert metrics.emotions.temperature != 1  # fitted on validation, as this classifier has none of its own
    rows = read_worst(out)
    assert list(rows[0]) == ["set", "text", "emotion", "label", "confidence", "probability_of_emotion", "loss"]
    assert len(rows) == 50
    losses = [float(row["loss"]) for row in rows]
    assert losses == sorted(losses, reverse=True)
    right = dict(zip(TRAIN.texts, TRAIN.labels, strict=True))
    for row in rows:
        assert row["emotion"] != row["label"]
        assert row["emotion"] == EMOTIONS[right.get(row["text"], 1)]  # the leaked sentence is joy there
        assert float(row["probability_of_emotion"]) <= float(row["confidence"])


def test_texts_with_commas_quotes_and_lines_are_kept_whole(untrained: Path, tmp_path: Path, out: Path) -> None:
    texts = ['one, "two"', "three; four", "fünf 😱"]
    write_lines(tmp_path / "odd" / "test.txt", LabelledTexts([t for t in texts for _ in EMOTIONS], [*range(6)] * 3))
    run(untrained, tmp_path / "odd", out)
    rows = read_worst(out)
    assert len(rows) == 15
    assert {row["text"] for row in rows} == set(texts)


def test_other_files_of_the_folder_stay(trained: Trained, labelled: Path, out: Path) -> None:
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "evaluation.json").write_text("old")
    run(trained.folder, labelled, out)
    assert names(out) == sorted([*FILES, "notes.txt"])
    assert (out / "notes.txt").read_text() == "mine"
    assert len(read_json(out)["sets"]) == 1


# Several sets


@pytest.fixture
def several(tmp_path: Path) -> DataSettings:
    """Three sets, of which one is not there: emotions with neutral sentences, and signs."""
    neutral = LabelledTexts(["a parcel", "a table"], [NEUTRAL] * 2)
    write_lines(tmp_path / "toy" / "val.txt", VALIDATION + neutral)
    (tmp_path / "films.tsv").write_text("i feel happy\t1\ni feel gloomy\t0\ni feel tender\t0\n", encoding="utf-8")
    signs = {"label_names": ["bad", "good"], "labels": {"good": ["joy", "love"], "bad": ["sadness", "anger", "fear"]}}
    films = {"name": "films", "path": ".", "format": "tab", "splits": {"validation": {"file": "films.tsv"}}} | signs
    sources = [{"name": "toy/set", "path": "toy"}, films, {"name": "another", "path": "nowhere"}]
    return DataSettings.model_validate({"root": str(tmp_path), "sources": sources})


def test_every_set_that_is_there_is_measured(
    trained: Trained, several: DataSettings, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        toy, films = run(trained.folder, several, out, split="validation")
    assert ["another" in record.getMessage() for record in caplog.records] == [True]
    assert (toy.source, films.source) == ("toy/set", "films")
    assert toy.emotions
    assert toy.emotions.sentences == 60
    assert toy.neutral
    assert toy.neutral.of == 2
    assert films.signs
    assert films.signs.correct.of == 3
    assert names(out) == FILES
    worst = [row for row in read_worst(out) if row["set"] == "films"]
    assert {row["emotion"] for row in worst} <= {"joy or love", "sadness or anger or fear"}


def test_pictures_of_several_sets_are_named_for_them(trained: Trained, tmp_path: Path, out: Path) -> None:
    for name in ("a", "b"):
        write_lines(tmp_path / name / "test.txt", TEST.take(range(12)))
    sources = [{"name": f"set {name}", "path": name} for name in ("a", "b")]
    found = run(trained.folder, DataSettings.model_validate({"root": str(tmp_path), "sources": sources}), out)
    sets = ["set-a", "set-b", "own-reviews", "own-support-messages"]
    assert [one.source.replace(" ", "-") for one in found] == sets
    pictures = [f"{name}-test-{picture}.png" for name in sets for picture in ("confusion", "reliability")]
    assert names(out) == sorted(["evaluation.json", "worst_errors.csv", *pictures])


# Thresholds


def test_a_metric_below_its_threshold_is_refused_with_files_written(
    trained: Trained, labelled: Path, out: Path
) -> None:
    with pytest.raises(GateError) as caught:
        run(trained.folder, labelled, out, thresholds={"accuracy": 0.0, "macro_f1": 0.9999})
    written = read_json(out)["sets"][0]["emotions"]
    for fact in ("macro_f1=0.9999", f"accuracy={written['accuracy']:.4f}", f"macro_f1={written['macro_f1']:.4f}"):
        assert fact in str(caught.value)
    assert names(out) == FILES
    # Exactly at the threshold is enough.
    run(trained.folder, labelled, out, thresholds={name: written[name] for name in THRESHOLD_METRICS})


def test_thresholds_are_read() -> None:
    assert parse_thresholds([]) == {}
    assert parse_thresholds(["accuracy=0.93", "macro_f1=1", "weighted_f1=0"]) == {
        "accuracy": 0.93,
        "macro_f1": 1.0,
        "weighted_f1": 0.0,
    }
    assert parse_thresholds(["accuracy=0.5", "accuracy=0.9"]) == {"accuracy": 0.9}


@pytest.mark.parametrize(
    "threshold",
    [
        *("accuracy", "accuracy=", "=0.9", "", "accuracy=high", "accuracy=93%", "accuracy=93", "accuracy=-0.1"),
        *("accuracy=nan", "accuracy=inf", "accuracy=0.9=1", "loss=0.2", "Accuracy=0.9", "f1=0.9"),
    ],
)
def test_another_threshold_is_refused(threshold: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_thresholds(["accuracy=0.5", threshold])
    assert "accuracy, macro_f1, weighted_f1" in str(caught.value)
    assert repr(threshold) in str(caught.value)


# What cannot be measured


def test_a_split_that_is_not_there_is_named(trained: Trained, labelled: Path, out: Path) -> None:
    with pytest.raises(InputError, match=rf"split validation in {labelled}, found test; choose with --split"):
        run(trained.folder, labelled, out, split="validation")
    assert not out.exists()


def test_sentences_of_one_emotion_are_refused(trained: Trained, labelled: Path, out: Path) -> None:
    (labelled / "test.txt").write_text("i feel fine;joy\ni feel good;joy\n", encoding="utf-8")
    with pytest.raises(InputError, match=rf"several emotions in the split test of {labelled}, found only joy"):
        run(trained.folder, labelled, out)
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
    with pytest.raises(UsageError, match=rf"folder to write to at {tmp_path / place}, found {found}"):
        run(trained.folder, labelled, tmp_path / place)
    assert names(tmp_path) == ["labelled", "out"]
    assert (tmp_path / "out").read_text() == "mine"
