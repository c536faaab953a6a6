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
