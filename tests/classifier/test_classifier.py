"""The three phases together, with the bundled classifier."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import pipeline

from emotion_udf.classifier.artifact import BUNDLED_FOLDER, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, Scores, load_classifier
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import DeviceError

PARITY_TWEETS = 2_000
EXPRESSIVE = [
    ("i feel so happy and delighted today", "joy"),
    ("i feel hopeless and miserable", "sadness"),
    ("i feel furious and angry about it", "anger"),
    ("i feel terrified and scared", "fear"),
    ("i feel so loving and tender towards her", "love"),
    ("i feel amazed and surprised by this", "surprise"),
]
TEXTS = [
    *(text for text, _ in EXPRESSIVE),
    *("i feel " + "very " * n + "fine" for n in (0, 1, 2, 5, 9, 14, 20, 33, 50, 80)),
    *("ok", "", " ", "🎉", "我很高兴", "MIXED Case Text!", "tom &amp; jerry", "a" * 101, "line\nbreak\ttab"),
    *("@user check http://example.org/x?y=z #wow", "refund please", "refund please", "where is my order"),
    *("it broke after two days and nobody answers my mails", "thanks, great service", "meh", "?!?!?!"),
    *(f"order {n} did not arrive and i am upset" for n in range(8)),
]


@pytest.fixture(scope="module")
def scores(bundled: Classifier) -> Scores:
    """The scores of `TEXTS`, each text scored alone."""
    alone = [bundled.score([text]) for text in TEXTS]
    return Scores(
        np.concatenate([s.probabilities for s in alone]),
        np.concatenate([s.token_counts for s in alone]),
        np.concatenate([s.is_truncated for s in alone]),
    )


@pytest.mark.parametrize(("text", "emotion"), EXPRESSIVE)
def test_a_plain_feeling_gets_its_label(bundled: Classifier, text: str, emotion: str) -> None:
    assert EMOTIONS[bundled.score([text]).probabilities[0].argmax()] == emotion


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3_000), st.permutations(range(len(TEXTS))), st.integers(1, len(TEXTS)))
def test_a_text_has_the_same_probabilities_in_any_company(
    bundled: Classifier, scores: Scores, token_budget: int, order: list[int], rows: int
) -> None:
    chosen = order[:rows]
    together = replace(bundled, token_budget=token_budget).score([TEXTS[row] for row in chosen])
    np.testing.assert_allclose(together.probabilities, scores.probabilities[chosen], atol=1e-5, rtol=0)
    np.testing.assert_array_equal(together.token_counts, scores.token_counts[chosen])
    np.testing.assert_array_equal(together.is_truncated, scores.is_truncated[chosen])


def test_probabilities_sum_to_1(scores: Scores) -> None:
    assert scores.probabilities.shape == (len(TEXTS), 6)
    assert (scores.probabilities >= 0).all()
    np.testing.assert_allclose(scores.probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_same_call_gives_the_same_bits(bundled: Classifier) -> None:
    np.testing.assert_array_equal(bundled.score(TEXTS).probabilities, bundled.score(TEXTS).probabilities)


def test_no_texts_have_no_scores(bundled: Classifier) -> None:
    none = bundled.score([])
    assert (none.probabilities.shape, none.probabilities.dtype) == ((0, 6), np.float32)
    assert (none.token_counts.shape, none.token_counts.dtype) == ((0,), np.int32)
    assert (none.is_truncated.shape, none.is_truncated.dtype) == ((0,), np.bool_)


def test_a_long_text_is_scored_by_its_beginning(bundled: Classifier) -> None:
    long, cut, fits = "happy " * 3000, "happy " * 511, "happy " * 510
    scored = bundled.score([long, "happy", cut, fits])
    assert scored.token_counts.tolist() == [3002, 3, 513, 512]
    assert scored.is_truncated.tolist() == [True, False, True, False]
    np.testing.assert_allclose(scored.probabilities[0], scored.probabilities[3], atol=1e-5, rtol=0)
    np.testing.assert_allclose(scored.probabilities[2], scored.probabilities[3], atol=1e-5, rtol=0)


def test_each_phase_is_timed() -> None:
    classifier = load_classifier(open_artifact(ArtifactSource()), "cpu")
    assert vars(classifier.seconds) == {"tokenize": 0, "batch": 0, "forward": 0}
    classifier.score(TEXTS)
    assert all(seconds > 0 for seconds in vars(classifier.seconds).values())


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(DeviceError):
        load_classifier(open_artifact(ArtifactSource()), "cuda")


def scores_of_transformers(texts: list[str]) -> np.ndarray:
    """Probabilities (N, 6) by the stock pipeline over the bundled folder."""
    stock = pipeline("text-classification", model=str(BUNDLED_FOLDER), top_k=None, device="cpu")
    by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    found: list[list[dict[str, Any]]] = stock([texts[row] for row in by_length], batch_size=32, truncation=True)
    scored = np.empty((len(texts), len(EMOTIONS)), dtype=np.float32)
    for row, labels in zip(by_length, found, strict=True):
        by_label = {label["label"]: label["score"] for label in labels}
        scored[row] = [by_label[emotion] for emotion in EMOTIONS]
    return scored


def test_real_tweets_are_scored_as_by_transformers(bundled: Classifier, data: Path) -> None:
    tweets = pq.read_table(data / "tweets.parquet", columns=["text"])["text"].slice(0, PARITY_TWEETS).to_pylist()
    assert len(tweets) == PARITY_TWEETS
    ours, theirs = bundled.score(tweets).probabilities, scores_of_transformers(tweets)
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)
    np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))
