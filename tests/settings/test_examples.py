"""The example settings are found, and each of them is right."""

from pathlib import Path

import pytest

from emotion_udf.settings import examples
from emotion_udf.settings.examples import examples_folder
from emotion_udf.settings.labelled import EvaluationSettings, SourcesFile
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.settings.publish import PublishSettings
from emotion_udf.settings.section import Section
from emotion_udf.settings.training import TrainSettings
from tests.helpers.paths import ROOT

MODELS: dict[str, type[Section]] = {
    "demo.toml": NightSettings,
    "nightly.toml": NightSettings,
    "postgres.toml": PublishSettings,
    "evaluate.toml": EvaluationSettings,
    "sources.toml": SourcesFile,
}
"""The settings of each example file; all others are recipes of training."""


def test_a_checkout_has_one_copy_of_the_examples_beside_the_package() -> None:
    assert examples_folder() == ROOT / "conf"
    assert {"nightly.toml", "spark-defaults.conf", "log4j2.properties"} <= {f.name for f in examples_folder().iterdir()}


def test_a_wheel_carries_the_examples_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    monkeypatch.setattr(examples, "_PACKAGE", tmp_path)

    assert examples_folder() == tmp_path / "conf"


@pytest.mark.parametrize("file", sorted((ROOT / "conf").glob("*.toml")), ids=lambda file: file.name)
def test_every_example_loads(file: Path) -> None:
    model = MODELS.get(file.name, TrainSettings)

    assert isinstance(load_settings(model, file), model)
