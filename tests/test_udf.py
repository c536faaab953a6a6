"""What a Python worker does with its batches, without Spark."""

import ctypes
import pickle
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import WINDOW_TOKENS, Classifier, load_classifier
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import ModelError
from emotion_udf.udf import REPORTING_TYPE, SCORE_TYPE, chunks, rows_of_texts, score_batches, to_frame, trim_heap
from emotion_udf.workers.process import UnscorableError
from emotion_udf.workers.report import read_reports
from emotion_udf.workers.spec import WorkerSpec
from tests.helpers.poison import PoisonedSpec

TEXTS = ["i feel so happy today", None, "i am furious", "", "word " * 3000, None, "i was terrified"]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier(open_artifact(ArtifactSource()), "cpu")


def score_chunk(texts: pd.Series, classifier: Classifier) -> pd.DataFrame:
    return to_frame(texts, classifier.score(texts.dropna().tolist()), classifier.engine_name)


def spec(chunk_rows: int = 10, token_budget: int = 4096, fingerprint: str | None = None) -> WorkerSpec:
    source = ArtifactSource()
    return WorkerSpec(source, fingerprint or open_artifact(source).fingerprint, "cpu", "fp32", token_budget, chunk_rows)


@given(st.lists(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=7), max_size=9), st.integers(1, 15))
def test_chunks_hold_all_rows_in_order_and_are_large_enough(batches: list[list[str | None]], rows: int) -> None:
    made = list(chunks((pd.Series(batch, dtype=object) for batch in batches), rows))
    assert [text for chunk in made for text in chunk] == [text for batch in batches for text in batch]
    assert all(len(chunk) >= rows for chunk in made[:-1])
    assert all(len(chunk) > 0 for chunk in made)
    assert all(list(chunk.index) == list(range(len(chunk))) for chunk in made)


@given(st.integers(1, 20), st.integers(1, 20))
def test_a_chunk_ends_with_the_batch_that_fills_it(batch_rows: int, chunk_rows: int) -> None:
    batches = [pd.Series(["x"] * batch_rows) for _ in range(10)]
    assert all(len(chunk) < chunk_rows + batch_rows for chunk in chunks(iter(batches), chunk_rows))


def test_a_chunk_is_handed_on_before_the_next_batch_is_taken() -> None:
    taken = 0

    def batches() -> Iterator[pd.Series]:
        nonlocal taken
        for _ in range(5):
            taken += 1
            yield pd.Series(["x"])

    made = chunks(batches(), 2)
    next(made)
    assert taken == 2


def test_no_batches_make_no_chunk() -> None:
    assert list(chunks(iter([]), 3)) == []
    assert list(chunks(iter([pd.Series([], dtype=object)]), 3)) == []


def test_nulls_come_out_where_nulls_went_in(classifier: Classifier) -> None:
    scored = score_chunk(pd.Series(TEXTS), classifier)
    is_null = [text is None for text in TEXTS]
    assert list(scored.columns) == SCORE_TYPE.fieldNames()
    for column in scored:
        assert scored[column].isna().tolist() == is_null, column
    assert scored["is_truncated"].tolist()[4] is True
    assert scored["token_count"].tolist()[4] == 3002
    assert scored["token_count"].tolist()[3] == 2


def test_a_text_has_the_same_score_among_nulls(classifier: Classifier) -> None:
    texts = [text for text in TEXTS if text is not None]
    alone = classifier.score(texts)
    scored = score_chunk(pd.Series(TEXTS), classifier).dropna()
    np.testing.assert_array_equal(scored[list(EMOTIONS)].to_numpy(), alone.probabilities)
    assert scored["emotion"].tolist() == [EMOTIONS[i] for i in alone.probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(scored["confidence"].to_numpy(), alone.probabilities.max(axis=1))


@pytest.mark.parametrize("texts", [TEXTS, ["a", "b"], [None, None], []])
def test_columns_have_the_same_types_whatever_the_chunk_holds(classifier: Classifier, texts: list[str | None]) -> None:
    scored = score_chunk(pd.Series(texts, dtype=object), classifier)
    assert len(scored) == len(texts)
    assert {name: str(dtype) for name, dtype in scored.dtypes.items()} == {
        "emotion": "object",
        "confidence": "float32",
        **dict.fromkeys(EMOTIONS, "float32"),
        "token_count": "Int32",
        "unknown_token_count": "Int32",
        "is_truncated": "boolean",
        "engine": "object",
    }


def test_a_chunk_of_nulls_is_all_null(classifier: Classifier) -> None:
    assert score_chunk(pd.Series([None, None, None], dtype=object), classifier).isna().all(axis=None)


def test_batches_come_out_in_their_order(classifier: Classifier) -> None:
    batches = [pd.Series(TEXTS[:3]), pd.Series([], dtype=object), pd.Series(TEXTS[3:])]
    scored = pd.concat(score_batches(iter(batches), spec(chunk_rows=2)), ignore_index=True)
    together = score_chunk(pd.Series(TEXTS), classifier)
    assert scored["emotion"].tolist()[0] == "joy"
    pd.testing.assert_frame_equal(scored, together, atol=1e-5, rtol=0)


def test_rows_come_out_once_where_a_chunk_comes_out_in_pieces(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WINDOW_TOKENS, "cpu", 8)
    monkeypatch.setattr("emotion_udf.udf._cached", {})
    texts = pd.Series(TEXTS + ["so it is"] * 20 + [None, None])
    pieces = list(score_batches(iter([texts]), spec(chunk_rows=100)))
    assert len(pieces) > 5
    together = score_chunk(texts, classifier)
    pd.testing.assert_frame_equal(pd.concat(pieces), together, atol=1e-5, rtol=0)


@given(st.lists(st.one_of(st.none(), st.just("x")), min_size=1), st.data())
def test_the_rows_of_texts_end_before_the_next_text(rows: list[str | None], data: st.DataObject) -> None:
    present = sum(row is not None for row in rows)
    texts = data.draw(st.integers(min(1, present), present))
    cut = rows_of_texts(pd.Series(rows, dtype=object), texts)
    assert sum(row is not None for row in rows[:cut]) == texts
    assert cut == len(rows) or rows[cut] is not None


@pytest.mark.parametrize(("poison", "name"), [("poison-raise", "RuntimeError"), ("poison-panic", "BaseException")])
def test_an_error_of_the_model_does_not_say_its_words(poison: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotion_udf.udf._cached", {})
    poisoned = PoisonedSpec(**vars(spec()))
    with pytest.raises(UnscorableError, match=rf"^{name} arose in .*poison\.py, line \d+$") as caught:
        list(score_batches(iter([pd.Series(["a", poison])]), poisoned))
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("carefully", [False, True])
def test_the_last_row_of_a_task_tells_what_it_has_done(carefully: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotion_udf.udf._cached", {})
    reporting = replace(spec(chunk_rows=2), reports=True, carefully=carefully)
    batches = [pd.Series(TEXTS[:3]), pd.Series(TEXTS[3:])]
    first, second = (pd.concat(score_batches(iter(batches), reporting), ignore_index=True) for _ in range(2))
    assert list(first.columns) == REPORTING_TYPE.fieldNames()
    assert first["work"].isna().tolist() == [True] * 6 + [False]
    (told,) = read_reports(first["work"])
    read = int(first["token_count"].clip(upper=512).sum())
    assert (told.tokens, told.computed_tokens, told.is_again) == (read, read, carefully)
    assert (told.loads, told.engine) == (1, "torch fp32 on cpu")
    assert 0 < told.opening_seconds < told.load_seconds < told.seconds
    (again,) = read_reports(second["work"])
    assert again.loads == carefully, "a process of its own ends with its task"


def test_a_careful_worker_says_the_same_and_leaves_out_what_cannot_be_scored(classifier: Classifier) -> None:
    texts = pd.Series([*TEXTS, "poison-raise", "poison-memory", "i feel fine"])
    careful = PoisonedSpec(**vars(spec()) | {"carefully": True})
    scored = pd.concat(score_batches(iter([texts[:4], texts[4:]]), careful), ignore_index=True)
    good = texts.where(~texts.str.contains("poison", na=False), None)
    pd.testing.assert_frame_equal(scored, score_chunk(good, classifier), atol=1e-5, rtol=0)


def test_a_task_without_rows_opens_no_model() -> None:
    nowhere = WorkerSpec(ArtifactSource("no/such/folder"), "0" * 32, "cpu", "fp32", 10, 10)
    assert list(score_batches(iter([pd.Series([], dtype=object)]), nowhere)) == []


def test_a_worker_whose_model_is_another_refuses() -> None:
    other = spec(fingerprint="0" * 32)
    with pytest.raises(ModelError) as caught:
        list(score_batches(iter([pd.Series(["a"])]), other))
    assert str(caught.value).startswith(f"expected the model {'0' * 32} that the driver opened, found ")


PIECE = bytes(80_000)
HOLES = 2_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize()


def leave_holes() -> list[bytearray]:
    """Fill the heap with pieces and free every second one, as Arrow batches of all sizes do; the rest is returned."""
    pieces = [bytearray(PIECE) for _ in range(2 * HOLES)]
    return pieces[::2]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the heap is not glibc's")
def test_a_chunk_leaves_no_holes_in_the_heap() -> None:
    list(score_batches(iter([pd.Series(["a"])]), spec()))  # what is loaded once
    kept = leave_holes()
    before = resident_bytes()
    list(score_batches(iter([pd.Series(["a"])]), spec()))
    given_back = before - resident_bytes()
    assert given_back > HOLES * len(PIECE) / 2  # half, since scoring itself takes some
    assert len(kept) == HOLES


def test_where_the_heap_is_not_glibcs_nothing_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not trim_heap()


def test_what_a_worker_is_sent_is_small() -> None:
    sent = pickle.dumps(spec())
    assert pickle.loads(sent) == spec()  # noqa: S301
    assert len(sent) < 1_000
