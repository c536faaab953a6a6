"""A classifier in a process of its own, which ends and is started anew."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.errors import ModelError, WorkerError
from emotion_udf.workers.process import ScoringProcess, UnscorableError
from emotion_udf.workers.report import TaskReport
from tests.helpers.poison import BrokenSpec, PoisonedSpec

ARTIFACT = open_artifact(ArtifactSource())
FACTS = (ArtifactSource(), ARTIFACT.fingerprint, "cpu", "fp32", None, 10)
SPEC = PoisonedSpec(*FACTS, stopped_s=1, answer_s=5)  # type: ignore[arg-type]
REPORT = TaskReport.begin(is_again=True)
TEXTS = ["i feel so happy today", "", "word " * 3000]


@pytest.fixture(scope="module")
def process() -> Iterator[ScoringProcess]:
    with closing(ScoringProcess(SPEC, (), REPORT)) as started:
        yield started


@pytest.mark.parametrize(
    ("poison", "said"),
    [
        ("poison-segv", "the process ended by SIGSEGV"),
        ("poison-stop", "the process ended by SIGKILL"),
        pytest.param("poison-exit", "the process ended by exit code 3", marks=pytest.mark.slow),
        pytest.param("poison-hang", "the process gave no answer in 5 s", marks=pytest.mark.slow),
        ("poison-raise", "RuntimeError arose in "),
        ("poison-memory", "MemoryError arose in "),
        ("poison-panic", "BaseException arose in "),
    ],
)
def test_a_process_that_a_text_ends_is_started_anew(process: ScoringProcess, poison: str, said: str) -> None:
    with pytest.raises(UnscorableError, match=said) as caught:
        process.score(["i feel fine", f"so {poison} it is"])
    assert "customer" not in str(caught.value)
    assert len(process.score(["i feel fine"]).token_counts) == 1


def test_it_scores_as_the_classifier_does(process: ScoringProcess) -> None:
    found, expected = process.score(TEXTS), load_classifier(ARTIFACT, "cpu").score(TEXTS)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(found.token_counts, expected.token_counts)
    np.testing.assert_array_equal(found.is_truncated, expected.is_truncated)
    assert process.engine_name == "torch fp32 on cpu"
    assert (found.read_tokens, found.computed_tokens) == (expected.read_tokens, expected.computed_tokens)
    assert REPORT.loads >= 1
    assert REPORT.load_seconds > REPORT.opening_seconds > 0


def test_a_process_that_ends_whatever_it_scores_is_told_apart() -> None:
    broken = ScoringProcess(BrokenSpec(*FACTS), (), REPORT)  # type: ignore[arg-type]
    with pytest.raises(WorkerError, match=r"loads the model .* SIGSEGV; look at the memory"):
        broken.score(["i feel fine"])


def test_an_error_of_the_model_comes_through_as_it_is() -> None:
    other = ScoringProcess(replace(SPEC, fingerprint="0" * 32), (), REPORT)
    with pytest.raises(ModelError, match="give every node the same model folder"):
        other.score(["i feel fine"])
