"""The wheel, in an empty environment: the UDF and the jobs work with what it brings and what it depends on."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.spark]

SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
UDF = """
import emotion_udf
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").getOrCreate()
texts = spark.createDataFrame([("i feel so happy today",), ("i am furious",), (None,)], "text STRING")
print(emotion_udf.__file__)
print([row.emotion for row in texts.select(emotion_udf.make_emotion_udf()("text").emotion.alias("emotion")).collect()])
"""
EXAMPLES = """
from emotion_udf.settings.examples import examples_folder
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
file = examples_folder() / "nightly.toml"
load_settings(NightSettings, file)
print(file)
"""


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel."""

    folder: Path

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment, away from the project and its variables."""
        ours = ("PYTHON", "PYSPARK", "SPARK_CONF", "VIRTUAL_ENV")
        outside = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        path = {"PATH": f"{self.folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"}
        command: list[str | Path] = [self.folder / "bin" / program, *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=outside | path, capture_output=True, text=True, timeout=1_800
        )


def build(environment: Installed, project: Path, folder: Path) -> Path:
    """Build the wheel, as of a moment that stays the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1767225600")
        built = environment.run("python", "-m", "pip", "wheel", "--no-deps", f"--wheel-dir={folder}", str(project))
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("emotion_udf-*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "venv", folder / "empty"], check=True)
    environment = Installed(folder / "empty")
    wheel = build(environment, ROOT, folder)
    pinned = f"--constraint={ROOT / 'constraints.txt'}"
    done = environment.run("python", "-m", "pip", "install", pinned, str(wheel))
    assert done.returncode == 0, done.stderr
    yield environment
    shutil.rmtree(folder)  # it holds a torch and a Spark


def test_a_wheel_that_is_built_elsewhere_and_later_has_the_same_bytes(installed: Installed, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        for name in ("emotion_udf", "conf"):
            shutil.copytree(ROOT / name, tmp_path / "copy" / name, copy_function=shutil.copyfile)
        for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
            shutil.copyfile(ROOT / name, tmp_path / "copy" / name)
        again = build(installed, tmp_path / "copy", tmp_path)
    finally:
        os.umask(before)

    (wheel,) = installed.folder.parent.glob("emotion_udf-*.whl")
    assert hashlib.sha256(again.read_bytes()).hexdigest() == hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_a_wheel_holds_the_package_and_nothing_else(installed: Installed) -> None:
    (wheel,) = installed.folder.parent.glob("emotion_udf-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tracked = subprocess.run(["git", "ls-files", "emotion_udf", "conf"], cwd=ROOT, capture_output=True, check=True)
    expected = {f"emotion_udf/{file}" if file.startswith("conf/") else file for file in tracked.stdout.decode().split()}

    assert {name for name in names if ".dist-info/" not in name} == expected


def test_the_udf_labels_messages(installed: Installed) -> None:
    done = installed.run("python", "-c", UDF)

    assert done.returncode == 0, done.stderr
    place, labels = done.stdout.splitlines()
    assert Path(place).is_relative_to(installed.folder)
    assert labels == "['joy', 'anger', None]"


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_job_explains_itself(installed: Installed, script: str) -> None:
    done = installed.run(script, "--help")

    assert done.returncode == 0, done.stderr
    assert f"usage: {script}" in done.stdout
    assert "exit codes:" in done.stdout


def test_a_job_ends_with_its_exit_code(installed: Installed) -> None:
    done = installed.run("emotion-score", "--config=nowhere.toml", "--date=2026-10-05")

    assert done.returncode == 2
    assert "nowhere.toml" in done.stderr


def test_the_example_settings_come_along(installed: Installed) -> None:
    done = installed.run("python", "-c", EXAMPLES)

    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.folder)
