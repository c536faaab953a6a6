"""What benchmarks are run on: texts, files in equal parts, and a model that both sides load."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import inputs
from benchmarks.harness import BenchmarkError
from benchmarks.inputs import (
    BUNDLED,
    CHUNK_ROWS,
    PROBES,
    RESIZED,
    find_model,
    make_model,
    read_texts,
    split,
    windows,
    write_job_input,
)
from benchmarks.parity import probabilities
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.classifier import ClassifierSettings

SMALL = {"dim": 12, "hidden_dim": 24, "n_heads": 2, "n_layers": 1, "max_position_embeddings": 64}


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """A Parquet file of 300 messages."""
    file = tmp_path / "tweets.parquet"
    pq.write_table(pa.table({"author": ["a"] * 300, "text": [f"text {n}" for n in range(300)]}), file)
    return file


def test_texts_come_from_the_start_and_start_over(messages: Path) -> None:
    assert read_texts(messages, 2) == ["text 0", "text 1"]
    assert read_texts(messages, 301)[-2:] == ["text 299", "text 0"]
    assert len(read_texts(messages)) == 300


def test_probes_are_distinct_texts() -> None:
    texts = read_texts(PROBES)
    assert len(set(texts)) == len(texts) > 100


def test_a_missing_or_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="found no such file"):
        read_texts(tmp_path / "none.parquet")
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    with pytest.raises(BenchmarkError, match="found none"):
        read_texts(tmp_path / "empty.parquet", 3)


@pytest.mark.parametrize("rows", [3, 4, 7, 280])
def test_a_job_gets_a_file_a_core_and_is_warmed_up_with_other_rows(messages: Path, tmp_path: Path, rows: int) -> None:
    folder = tmp_path / "rows"
    write_job_input(messages, 30, 1, 2, folder)  # what an earlier run left
    timed, warm_up = write_job_input(messages, rows, 5, 3, folder)
    parts = [pq.read_table(file)["text"].to_pylist() for file in sorted(timed.iterdir())]
    assert [text for part in parts for text in part] == [f"text {n}" for n in range(rows)]
    assert len(parts) == 3
    assert pq.read_table(warm_up)["text"].to_pylist() == [f"text {n}" for n in range(rows, rows + 15)]


def test_a_job_of_fewer_rows_than_cores_is_refused(messages: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="--rows 1"):
        write_job_input(messages, 1, 5, 2, tmp_path / "rows")


@given(st.integers(0, 50), st.integers(1, 9))
def test_parts_hold_every_row_once_and_are_equal_but_for_one(rows: int, parts: int) -> None:
    cut = [list(range(rows))[part] for part in split(rows, parts)]
    assert [row for part in cut for row in part] == list(range(rows))
    assert max(map(len, cut)) - min(map(len, cut)) <= 1


@given(st.integers(0, 10))
def test_windows_hold_every_text_once(count: int) -> None:
    texts = [str(number) for number in range(count)]
    cut = list(windows(texts, 3))
    assert [text for window in cut for text in window] == texts
    assert all(len(window) == 3 for window in cut[:-1])


def test_windows_are_as_long_as_those_of_the_udf() -> None:
    assert ClassifierSettings().chunk_rows == CHUNK_ROWS


def test_the_made_model_loads_on_both_sides(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = make_model(tmp_path / "models" / "tiny", SMALL)

    configuration = open_artifact(ArtifactSource(str(folder))).configuration
    assert (configuration.dim, configuration.n_layers) == (12, 1)

    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True)
    assert type(theirs).__name__ == "DistilBertForSequenceClassification"
    assert tuple(theirs.config.id2label.values()) == EMOTIONS
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert theirs(**tokenizer(["so happy"], return_tensors="pt")).logits.shape == (1, 6)


def test_a_model_is_made_once_and_the_same_each_time(tmp_path: Path) -> None:
    weights = make_model(tmp_path / "first", SMALL) / "model.safetensors"
    made_at = weights.stat().st_mtime_ns
    make_model(tmp_path / "first", SMALL)
    assert weights.stat().st_mtime_ns == made_at
    assert (make_model(tmp_path / "second", SMALL) / "model.safetensors").read_bytes() == weights.read_bytes()


def test_a_wider_model_says_the_same(tmp_path: Path) -> None:
    wide = make_model(tmp_path / "wide", {"dim": 768, "hidden_dim": 3_072, "n_layers": 6})
    texts = ["so happy today", "i am scared of the dark and of @somebody", "why would anybody do that?! " * 20]
    expected, found = (
        probabilities(load_classifier(open_artifact(ArtifactSource(str(folder))), "cpu"), texts)
        for folder in (BUNDLED, wide)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_models_are_found_by_name_and_by_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_model("bundled") == BUNDLED
    assert find_model(str(BUNDLED)) == BUNDLED
    with pytest.raises(BenchmarkError, match="expected base, tiny, bundled or a model folder"):
        find_model("no/such/model")
    monkeypatch.setattr(inputs, "BUILD", tmp_path)
    made = open_artifact(ArtifactSource(str(find_model("tiny")))).configuration
    assert (made.dim, made.n_layers, made.vocab_size) == (RESIZED["tiny"]["dim"], 1, 30_522)
