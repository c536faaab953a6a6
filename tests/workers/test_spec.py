"""Loading the classifier that a worker is told of."""

import gc
from dataclasses import replace
from pathlib import Path

import pytest

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.errors import ModelError
from emotion_udf.workers.spec import WorkerSpec

SPEC = WorkerSpec(ArtifactSource(), open_artifact(ArtifactSource()).fingerprint, "cpu", "bf16", None, 1_000)


def test_a_worker_remembers_its_comparison_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert SPEC.load(()).engine_name == "torch bf16 on cpu"
    (folder,) = tmp_path.iterdir()
    assert len(list(folder.iterdir())) == 1
    assert gc.isenabled()


def test_another_model_than_the_drivers_is_refused() -> None:
    with pytest.raises(ModelError, match="give every node the same model folder"):
        replace(SPEC, fingerprint="0" * 32).load(())
    assert gc.isenabled()


def test_a_node_without_the_drivers_folder_is_told_what_to_do(tmp_path: Path) -> None:
    absent = replace(SPEC, source=ArtifactSource(str(tmp_path / "absent")))
    with pytest.raises(ModelError, match=r"found on the worker's node .* put it there under the same path"):
        absent.load(())


@pytest.mark.parametrize("tells", [True, False])
def test_a_worker_tells_of_its_classifier_where_it_is_asked_to(tells: bool, capfd: pytest.CaptureFixture[str]) -> None:
    replace(SPEC, tells=tells).load(("4",))
    said = capfd.readouterr().err
    assert ("assigned_gpus=4" in said and SPEC.fingerprint in said) == tells
