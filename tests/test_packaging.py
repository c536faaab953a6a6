"""What pyproject.toml says of the wheel is true of the project."""

import tomllib
from importlib import import_module
from pathlib import Path
from typing import NoReturn, get_type_hints

import pytest

import emotion_udf
from tests.helpers.paths import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
WHEEL = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
CARD = (ROOT / "emotion_udf/models/emotion-minilm/MODEL_CARD.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        "emotion-score",
        "emotion-train",
        "emotion-evaluate",
        "emotion-maintain",
        "emotion-audit",
        "emotion-published",
        "emotion-compare",
        "emotion-sql",
        "emotion-dashboard",
        "emotion-postgres",
    ],
)
def test_each_job_is_a_console_script_that_ends_with_its_exit_code(name: str) -> None:
    module, _, function = PROJECT["scripts"][name].partition(":")

    assert function == "run"
    assert get_type_hints(getattr(import_module(module), function))["return"] is NoReturn


@pytest.mark.parametrize("shim", sorted((ROOT / "jobs").glob("*.py")), ids=lambda file: file.name)
def test_each_file_for_spark_submit_starts_a_console_script(shim: Path) -> None:
    assert f"emotion_udf.jobs.{shim.stem}:run" in PROJECT["scripts"].values()


def test_the_licence_names_the_code_and_the_weights() -> None:
    code, _, weights = PROJECT["license"].partition(" AND LicenseRef-")

    assert code == "Apache-2.0"
    assert f"license_name: {weights}\n" in CARD
    assert all((ROOT / file).is_file() for file in PROJECT["license-files"])


def test_the_licence_of_the_weights_lies_beside_them() -> None:
    (weights_file,) = (ROOT / file for file in PROJECT["license-files"] if "weights" in file)

    assert weights_file.parent == ROOT / "emotion_udf/models"
    assert "educational and research use" in " ".join(weights_file.read_text(encoding="utf-8").split())


def test_the_wheel_carries_the_example_settings() -> None:
    assert WHEEL["force-include"] == {"conf": "emotion_udf/conf"}


def test_the_changelog_has_a_section_for_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {emotion_udf.__version__} - 20" in changelog
