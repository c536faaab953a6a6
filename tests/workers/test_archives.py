from pathlib import Path

import pytest
from pyspark import SparkFiles

from emotion_udf.classifier.artifact import BUNDLED, ArtifactSource
from emotion_udf.workers.archives import as_unpacked


@pytest.fixture
def spark_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What Spark tells a Python worker of where it has unpacked archives."""
    monkeypatch.setattr(SparkFiles, "_is_running_on_worker", True)
    monkeypatch.setattr(SparkFiles, "_root_directory", str(tmp_path / "unpacked"))
    return tmp_path / "unpacked"


@pytest.mark.parametrize("model", ["emotions", "/models/emotions"])
def test_a_model_is_where_spark_has_unpacked_it(spark_files: Path, model: str) -> None:
    (spark_files / "emotions").mkdir(parents=True)
    assert as_unpacked(ArtifactSource(model, expect="0" * 32)) == ArtifactSource(
        str(spark_files / "emotions"), expect="0" * 32
    )


def test_a_folder_that_is_there_counts_first(spark_files: Path, tmp_path: Path) -> None:
    for folder in (spark_files / "emotions", tmp_path / "emotions"):
        folder.mkdir(parents=True)
    here = ArtifactSource(str(tmp_path / "emotions"))
    assert as_unpacked(here) == here


def test_a_container_of_yarn_has_archives_where_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SparkFiles, "_sc", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "emotions").mkdir()
    assert as_unpacked(ArtifactSource("/models/emotions")).model == str(tmp_path / "emotions")


def test_other_models_stay_as_they_are(spark_files: Path) -> None:
    for name in (BUNDLED, "emotions"):
        (spark_files / name).mkdir(parents=True)
    for source in (ArtifactSource(), ArtifactSource("owner/emotions", "0" * 40), ArtifactSource("absent")):
        assert as_unpacked(source) == source
