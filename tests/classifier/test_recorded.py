from pathlib import Path

import numpy as np
import pytest

from emotion_udf.classifier import recorded
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.recorded import read_recorded, write_recorded
from emotion_udf.errors import ModelError
from emotion_udf.probes import canary_sentences

SHA = "a" * 64
PROBABILITIES = np.random.default_rng(0).dirichlet(np.ones(6), len(canary_sentences())).astype(np.float32)


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    write_recorded(tmp_path, SHA, PROBABILITIES)
    assert read_recorded(tmp_path, SHA) == pytest.approx(PROBABILITIES, abs=1e-5)


def test_without_a_record_there_is_none(tmp_path: Path) -> None:
    assert read_recorded(tmp_path, SHA) is None


def test_a_record_of_other_weights_is_an_error(tmp_path: Path) -> None:
    write_recorded(tmp_path, SHA, PROBABILITIES)
    with pytest.raises(ModelError, match="found bbbb"):
        read_recorded(tmp_path, "b" * 64)


def test_a_record_of_other_sentences_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recorded(tmp_path, SHA, PROBABILITIES)
    monkeypatch.setattr(recorded, "canary_sentences", lambda: [("another sentence", "joy")])
    assert read_recorded(tmp_path, SHA) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"probabilities": "x", "sentences_sha256": 1}', "not JSON"])
def test_a_damaged_record_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "canary.json").write_text(content)
    with pytest.raises(ModelError, match=r"canary\.json"):
        read_recorded(tmp_path, SHA)


def test_the_bundled_classifier_says_what_it_recorded(bundled: Classifier) -> None:
    artifact = open_artifact(ArtifactSource())
    expected = read_recorded(artifact.folder, artifact.weights_sha256)
    assert expected is not None
    found = bundled.score([text for text, _ in canary_sentences()]).probabilities
    assert found == pytest.approx(expected, abs=0.05)
