"""What all other runtimes share: batches of tokens, padding, the order of rows, and a conversion made anew."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.contenders import runtimes
from benchmarks.contenders.runtimes import RUNTIMES, Forward, Ids, Runtime, convert, load_scorer, pad
from benchmarks.inputs import BUNDLED
from emotion_udf.classifier.artifact import TOKENIZER, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.tokenizer import MessageTokenizer

TEXTS = ["so happy", "x", "this is a much longer message of some more words, is it not?", "", "I am afraid"]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Runtime], str]:
    """Add a runtime and return its name."""
    monkeypatch.setattr(runtimes, "CONVERTED", tmp_path)
    load_scorer.cache_clear()

    def add_one(runtime: Runtime) -> str:
        monkeypatch.setitem(RUNTIMES, "example", runtime)
        return "example"

    return add_one


def test_rows_come_longest_first_in_batches_of_so_many_tokens(add: Callable[[Runtime], str], tmp_path: Path) -> None:
    seen: list[Ids] = []

    def load(_: str, __: Path) -> Forward:
        def forward(rows: Ids) -> NDArray[np.float32]:
            seen.append(rows)
            return np.array([[len(row), 0, 0, 0, 0, 0] for row in rows], np.float32)

        return forward

    name = add(Runtime(load, "fp32", tokens=12))
    found = load_scorer(name, str(BUNDLED), tmp_path)(TEXTS)
    expected = MessageTokenizer(BUNDLED / TOKENIZER, 512).encode(TEXTS).token_ids
    assert [row for batch in seen for row in batch] == sorted(expected, key=len, reverse=True)
    assert all(len(batch) == 1 or len(batch) * len(batch[0]) <= 12 for batch in seen)
    assert len(seen) == 3
    lengths = np.array([len(ids) for ids in expected])
    assert found[:, 0] == pytest.approx(np.exp(lengths) / (np.exp(lengths) + 5))
    assert found.sum(axis=1) == pytest.approx(1)


def test_a_batch_may_have_to_be_of_one_length(add: Callable[[Runtime], str], tmp_path: Path) -> None:
    seen: list[list[int]] = []

    def forward(rows: Ids) -> NDArray[np.float32]:
        seen.append([len(row) for row in rows])
        return np.zeros((len(rows), 6), np.float32)

    name = add(Runtime(lambda *_: forward, "fp32", tokens=1_000, pads=False))
    load_scorer(name, str(BUNDLED), tmp_path)(["so happy", "so sad", "x"])
    assert [len(set(lengths)) for lengths in seen] == [1, 1]
    assert [len(lengths) for lengths in seen] == [2, 1]


def test_rows_are_padded_to_the_longest() -> None:
    padded = pad([[5, 6, 7], [8]], np.int32)
    assert padded["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert padded["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert padded["input_ids"].dtype == padded["attention_mask"].dtype == np.int32


def test_a_model_is_converted_anew(add: Callable[[Runtime], str]) -> None:
    def write(model: str, folder: Path) -> None:
        (folder / "model").write_text(model, encoding="utf-8")

    name = add(Runtime(lambda *_: lambda _: np.zeros(0, np.float32), "fp32", 1, write))
    (convert(name, "first") / "left").touch()
    folder = convert(name, "second")
    assert [file.read_text(encoding="utf-8") for file in folder.iterdir()] == ["second"]


def test_the_network_of_transformers_gives_the_probabilities_of_fp32(add: Callable[[Runtime], str]) -> None:
    def load(model: str, folder: Path) -> Forward:
        return runtimes.load_transformers(model, folder, "float32")

    name = add(Runtime(load, "fp32", tokens=64, pads=False))
    found = load_scorer(name, str(BUNDLED), convert(name, str(BUNDLED)))(TEXTS)
    expected = load_classifier(open_artifact(ArtifactSource(str(BUNDLED))), "cpu").score(TEXTS).probabilities
    assert np.abs(found - expected).max() < 1e-5
