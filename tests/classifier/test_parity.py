"""When a fast engine may take the place of the reference."""

import logging

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.engine import TorchEngine
from emotion_udf.classifier.packing import TokenRows
from emotion_udf.classifier.parity import Parity, compare
from emotion_udf.probes import probe_texts


def sure(rows: int, label: int = 0) -> NDArray[np.float32]:
    probabilities = np.full((rows, 6), 0.02, dtype=np.float32)
    probabilities[:, label] = 0.9
    return probabilities


def test_the_same_probabilities_are_equal() -> None:
    parity = compare(sure(10), sure(10))
    assert (parity.equal_labels, parity.p99, parity.holds) == (1, 0, True)


def test_another_label_counts() -> None:
    found = sure(100)
    found[0] = sure(1, label=3)
    parity = compare(sure(100), found)
    assert parity.equal_labels == pytest.approx(0.99)
    assert parity.changed[0] == pytest.approx(0.88)
    assert not parity.holds


def test_a_tie_that_falls_the_other_way_is_no_other_label() -> None:
    reference = np.tile(np.array([0.41, 0.40, 0.19, 0, 0, 0], dtype=np.float32), (10, 1))
    found = np.tile(np.array([0.40, 0.41, 0.19, 0, 0, 0], dtype=np.float32), (10, 1))
    assert compare(reference, found).holds


def test_a_probability_that_moves_far_does_not_hold_even_when_labels_stay() -> None:
    found = sure(10)
    found[:, 0], found[:, 1] = 0.8, 0.12
    parity = compare(sure(10), found)
    assert parity.equal_labels == 1
    assert parity.p99 == pytest.approx(0.1)
    assert not parity.holds


def test_what_is_no_number_does_not_hold() -> None:
    found = sure(10)
    found[:, :] = np.nan
    assert not compare(sure(10), found).holds


def test_parity_reads_well() -> None:
    assert str(Parity(0.9958, np.full(5, 0.0123, dtype=np.float32))) == (
        "99.6% of labels equal, 99th percentile of changes 0.012"
    )


def test_the_probes_are_the_sentences_of_both_sets() -> None:
    texts = probe_texts()
    assert len(texts) == 240
    assert "i feel lonely and empty tonight" in texts
    assert "The meeting starts at ten o'clock." in texts


def test_bf16_keeps_the_bundled_labels_and_is_used() -> None:
    classifier = load_classifier(open_artifact(ArtifactSource()), "cpu", precision="bf16")
    assert classifier.engine_name == classifier.engine.name == "torch bf16 on cpu"
    assert classifier.score(["i feel so happy"]).probabilities.dtype == np.float32


def test_fp32_is_the_default() -> None:
    assert load_classifier(open_artifact(ArtifactSource()), "cpu").engine_name == "torch fp32 on cpu"


def test_a_fast_engine_that_changes_labels_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    honest = TorchEngine.probabilities

    def broken_in_bf16(self: TorchEngine, rows: TokenRows) -> Tensor:
        found = honest(self, rows)
        return found.roll(1, dims=1) if "bf16" in self.name else found

    monkeypatch.setattr(TorchEngine, "probabilities", broken_in_bf16)
    artifact = open_artifact(ArtifactSource())
    with caplog.at_level(logging.WARNING):
        classifier = load_classifier(artifact, "cpu", precision="bf16")
    assert classifier.engine.name == "torch fp32 on cpu"
    assert classifier.engine_name.startswith("torch fp32 on cpu, because bf16 failed parity (")
    assert "torch bf16 on cpu is not used: " in caplog.text
    plain = load_classifier(artifact, "cpu").score(["i am furious"])
    assert torch.equal(*(torch.from_numpy(s.probabilities) for s in (plain, classifier.score(["i am furious"]))))
