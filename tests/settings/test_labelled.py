"""Settings of labelled sentences."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from emotion_udf.errors import UsageError
from emotion_udf.settings.labelled import DataSettings, EvaluationSettings, SourceSettings
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.training import TrainSettings
from tests.helpers.paths import ROOT

FIRST = {"name": "first", "path": "a", "per_epoch": 2.0}
SECOND = {"name": "second", "path": "b"}


def data(**settings: Any) -> DataSettings:
    return DataSettings.model_validate(settings)


@pytest.mark.parametrize(
    "given", [{}, {"source": "a", "sources": [FIRST]}, {"sources": [FIRST], "sources_file": "f"}, {"sources": []}]
)
def test_data_is_one_set_or_several_or_a_file_of_them(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected exactly one of"):
        data(**given)


def test_one_set_is_a_source_of_its_name() -> None:
    (source,) = data(source="folder", text="body", revision="v1").all_sources()
    assert (source.name, source.path, source.text, source.revision) == ("dair-ai/emotion", "folder", "body", "v1")
    assert source.license == "educational and research use"


def test_sources_may_be_chosen_and_shown_otherwise(tmp_path: Path) -> None:
    chosen = data(sources=[FIRST, SECOND], only=["second"], per_epoch={"second": 0.5}).all_sources()
    assert [(source.name, source.per_epoch) for source in chosen] == [("second", 0.5)]
    file = tmp_path / "sources.toml"
    file.write_text('[[sources]]\nname = "first"\npath = "a"\nlabels = { good = ["joy", "love"] }\n')
    (source,) = data(sources_file=str(file)).all_sources()
    assert source.labels == {"good": ["joy", "love"]}


@pytest.mark.parametrize(
    "given",
    [
        {"sources": [FIRST, FIRST]},
        {"sources": [FIRST], "only": ["other"]},
        {"sources": [FIRST], "per_epoch": {"x": 1.0}},
    ],
)
def test_names_must_be_those_of_sources(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected sources of different names"):
        data(**given).all_sources()


@pytest.mark.parametrize(
    "given",
    [
        {"labels": {"good": "happy"}},
        {"labels": {"good": []}},
        {"labels": {"good": ["joy", "sad"]}},
        {"format": "tab"},
        {"format": "csv"},
        {"splits": {"dev": {"file": "x"}}},
        {"splits": {"test": {"file": "x", "rows": "third"}}},
        {"per_epoch": -1.0},
        {"teacher_weight": 1.5},
        {"confident_accuracy": 0.0},
    ],
)
def test_a_source_refuses_what_it_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SourceSettings.model_validate(SECOND | given)


def test_evaluation_measures_on_the_sources_of_training() -> None:
    evaluated = load_settings(EvaluationSettings, ROOT / "conf" / "evaluate.toml").data
    trained = load_settings(TrainSettings, ROOT / "conf" / "train.toml").data
    assert evaluated == trained
    file = str(ROOT / str(evaluated.sources_file))
    names = {source.name for source in evaluated.model_copy(update={"sources_file": file}).all_sources()}
    assert {"GoEmotions", "TweetEval emotion", "dair-ai/emotion", "film reviews"} <= names
