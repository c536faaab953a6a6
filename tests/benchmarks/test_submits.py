"""How benchmarks start Spark jobs. Nothing here starts Spark."""

import os
from pathlib import Path

import pytest

from benchmarks import submits
from benchmarks.inputs import BenchmarkError
from benchmarks.submits import PREPARED, prepare, submit_environment, submit_program


def test_spark_submit_finds_the_python_it_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master elsewhere")
    found = submit_environment(Path("/some/bin/python"))
    assert found["PATH"].split(os.pathsep)[0] == "/some/bin"
    assert found["PYSPARK_PYTHON"] == found["PYSPARK_DRIVER_PYTHON"] == "/some/bin/python"
    assert "PYSPARK_SUBMIT_ARGS" not in found


def test_what_is_prepared_is_found_by_the_launcher() -> None:
    found = submit_environment(Path("/some/bin/python"), prepared=True)
    assert found["EMOTION_UDF_CACHE"] == str(PREPARED)
    assert (Path(found["SPARK_HOME"]) / "jars").is_dir()
    assert found["PYSPARK_PYTHON"] == "/some/bin/python"


def test_a_job_is_started_by_spark_submit_or_by_the_launcher() -> None:
    assert submit_program(Path("/some/bin/python")) == "/some/bin/spark-submit"
    assert os.access(submit_program(Path("/some/bin/python"), prepared=True), os.X_OK)


@pytest.mark.parametrize(
    ("script", "told"), [("echo no Java; exit 2", "exit code 2.*no Java"), ("exec sleep 60", "did not end within 1 s")]
)
def test_a_preparation_that_fails_is_told(
    script: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = tmp_path / "submit.sh"
    launcher.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    launcher.chmod(0o755)
    monkeypatch.setattr(submits, "_SUBMIT", launcher)
    with pytest.raises(BenchmarkError, match=f"(?s){told}"):
        prepare(1)
