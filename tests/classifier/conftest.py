"""The bundled classifier, and model folders to spoil."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from emotion_udf.classifier.artifact import BUNDLED_FOLDER, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from tests.helpers.models import tiny_distilbert


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Compute on one core, as Spark's workers do; several threads on a busy machine wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def bundled() -> Classifier:
    return load_classifier(open_artifact(ArtifactSource()), "cpu")


@pytest.fixture
def tokenizer_json() -> Path:
    return BUNDLED_FOLDER / "tokenizer.json"


@pytest.fixture
def tiny_folder(tmp_path: Path, tokenizer_json: Path) -> Path:
    """A model folder as transformers writes it, with the bundled tokenizer."""
    folder = tmp_path / "tiny"
    tiny_distilbert().save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(tokenizer_json.read_bytes())
    return folder


@pytest.fixture
def edit_config(tiny_folder: Path) -> Callable[..., Path]:
    """Change keys of the tiny folder's `config.json`; None removes one."""

    def edit(**changes: Any) -> Path:
        file = tiny_folder / "config.json"
        config = json.loads(file.read_text(encoding="utf-8")) | changes
        file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}), encoding="utf-8")
        return tiny_folder

    return edit
