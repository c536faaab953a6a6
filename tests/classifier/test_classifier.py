"""The three phases together, with the bundled classifier."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import pipeline

from emotion_udf.classifier.artifact import BUNDLED_FOLDER, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.classifier.engine import Engine
from emotion_udf.classifier.packing import TokenRows
from emotion_udf.classifier.scores import Scores
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import DeviceError

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
        np.concatenate([s.unknown_counts for s in alone]),
        np.concatenate([s.is_truncated for s in alone]),
    )


@pytest.mark.parametrize(("text", "emotion"), EXPRESSIVE)
def test_a_plain_feeling_gets_its_label(bundled: Classifier, text: str, emotion: str) -> None:
    assert EMOTIONS[bundled.score([text]).probabilities[0].argmax()] == emotion


@settings(max_examples=15)
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
    assert none.probabilities.shape == (0, 6)
    assert none.token_counts.shape == none.is_truncated.shape == (0,)
    dtypes = [array.dtype.name for array in (none.probabilities, none.token_counts, none.is_truncated)]
    assert dtypes == ["float32", "int32", "bool"]


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


def test_chunks_are_scored_in_their_order_as_if_alone(bundled: Classifier) -> None:
    chunks = [TEXTS[:5], [], TEXTS[5:6], TEXTS[6:]]
    scored = list(bundled.score_chunks(chunks))
    assert [len(scores.token_counts) for scores in scored] == [5, 0, 1, len(TEXTS) - 6]
    for chunk, scores in zip(chunks, scored, strict=True):
        alone = bundled.score(chunk)
        np.testing.assert_array_equal(scores.probabilities, alone.probabilities)
        np.testing.assert_array_equal(scores.token_counts, alone.token_counts)


def test_a_chunk_of_many_tokens_comes_out_in_pieces(bundled: Classifier, scores: Scores) -> None:
    pieces = list(replace(bundled, window_tokens=20).score_chunks([TEXTS, TEXTS[:1]]))
    assert len(pieces) > 3
    found = np.concatenate([piece.probabilities for piece in pieces])
    np.testing.assert_allclose(found[:-1], scores.probabilities, atol=1e-5, rtol=0)
    assert np.concatenate([piece.token_counts for piece in pieces])[:-1].tolist() == scores.token_counts.tolist()
    assert [len(piece.token_counts) for piece in pieces][-1] == 1, "no piece holds texts of two chunks"


def test_no_chunks_have_no_scores(bundled: Classifier) -> None:
    assert list(bundled.score_chunks([])) == []


def test_two_chunks_are_read_ahead_and_no_more(bundled: Classifier) -> None:
    read: list[int] = []

    def chunks() -> Iterator[list[str]]:
        for number in range(4):
            read.append(number)
            yield ["i feel fine"]

    scored = bundled.score_chunks(chunks())
    next(scored)
    assert read == [0, 1, 2]
    next(scored)
    assert read == [0, 1, 2, 3]


def test_an_input_that_breaks_off_ends_the_scores_with_its_error(bundled: Classifier) -> None:
    def chunks() -> Iterator[list[str]]:
        yield ["a"]
        yield ["b"]
        yield ["c"]
        raise OSError("the connection is gone")

    scored = bundled.score_chunks(chunks())
    next(scored)
    with pytest.raises(OSError, match="the connection is gone"):
        list(scored)


class TightEngine:
    """The bundled engine with memory for so many tokens at once."""

    name = "tight"

    def __init__(self, engine: Engine, room: int, error: Exception) -> None:
        self.engine, self.room, self.error = engine, room, error
        self.tried: list[int] = []

    def probabilities(self, rows: TokenRows) -> Tensor:
        tokens = len(rows.ids)
        self.tried.append(tokens)
        if tokens > self.room:
            raise self.error
        return self.engine.probabilities(rows)


NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 3221225472 bytes."),
]


@pytest.mark.parametrize("error", NO_MEMORY)
def test_a_batch_that_does_not_fit_is_halved_and_no_text_is_lost(
    bundled: Classifier, scores: Scores, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    engine = TightEngine(bundled.engine, room=150, error=error)
    tight = replace(bundled, engine=engine, token_budget=4096)
    with caplog.at_level(logging.WARNING):
        found = tight.score(TEXTS)
    np.testing.assert_allclose(found.probabilities, scores.probabilities, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(found.token_counts, scores.token_counts)
    assert tight.token_budget <= 150
    refused = [tokens for tokens in engine.tried if tokens > 150]
    assert len(caplog.records) == len(refused) <= 3, "one line each time that the budget changes"
    assert "out of memory with a batch of" in caplog.text
    assert (found.read_tokens, found.computed_tokens) == (int(found.token_counts.sum()), sum(engine.tried))
    assert found.computed_tokens - found.read_tokens == sum(refused), "what was computed for nothing"

    engine.tried.clear()
    tight.score(TEXTS)
    assert max(engine.tried) <= 150, "the worker remembers"


def test_down_to_one_text_a_batch(bundled: Classifier, scores: Scores) -> None:
    longest = int(scores.token_counts.max())
    tight = replace(bundled, engine=TightEngine(bundled.engine, longest, NO_MEMORY[0]), token_budget=4096)
    np.testing.assert_allclose(tight.score(TEXTS).probabilities, scores.probabilities, atol=1e-5, rtol=0)


def test_one_text_that_does_not_fit_is_an_error(bundled: Classifier) -> None:
    tight = replace(bundled, engine=TightEngine(bundled.engine, 3, NO_MEMORY[0]))
    with pytest.raises(DeviceError) as caught:
        tight.score(["i feel so happy today"])
    assert str(caught.value).startswith("expected memory for one text of 7 tokens (")


def test_another_error_of_the_engine_is_not_a_lack_of_memory(bundled: Classifier) -> None:
    broken = replace(bundled, engine=TightEngine(bundled.engine, 3, RuntimeError("shapes do not match")))
    with pytest.raises(RuntimeError, match="shapes do not match"):
        broken.score(TEXTS)
    assert broken.token_budget == bundled.token_budget


@pytest.mark.parametrize(("asked", "budget"), [(None, 2048), (100, 100)])
def test_the_token_budget_is_the_devices_unless_asked_for(asked: int | None, budget: int) -> None:
    assert load_classifier(open_artifact(ArtifactSource()), "cpu", asked).token_budget == budget


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(DeviceError):
        load_classifier(open_artifact(ArtifactSource()), "cuda")


def scores_of_transformers(texts: list[str]) -> np.ndarray:
    """Probabilities (N, 6) by the stock pipeline over the bundled folder."""
    stock = pipeline("text-classification", model=str(BUNDLED_FOLDER), top_k=None, device="cpu")
    by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    found: Any = stock([texts[row] for row in by_length], batch_size=32, truncation=True)
    scored = np.empty((len(texts), len(EMOTIONS)), dtype=np.float32)
    for row, labels in zip(by_length, found, strict=True):
        by_label = {label["label"]: label["score"] for label in labels}
        scored[row] = [by_label[emotion] for emotion in EMOTIONS]
    return scored


def assert_scored_as_by_transformers(classifier: Classifier, file: Path, rows: int) -> None:
    texts = pq.read_table(file, columns=["text"])["text"].slice(0, rows).to_pylist()
    assert len(texts) == rows
    ours = classifier.score(texts).probabilities
    theirs = scores_of_transformers(texts)
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)
    np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))


def test_tweets_are_scored_as_by_transformers(bundled: Classifier, tweets: Path) -> None:
    assert_scored_as_by_transformers(bundled, tweets, rows=200)


@pytest.mark.slow
def test_many_real_tweets_are_scored_as_by_transformers(bundled: Classifier, data: Path) -> None:
    assert_scored_as_by_transformers(bundled, data / "tweets.parquet", rows=2_000)
