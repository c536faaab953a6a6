"""What all contenders are given: rows in equal parts, and a model that both sides load."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import inputs
from benchmarks.inputs import BUNDLED, TINY, BenchmarkError, Sizes, find_model, make_model, write_rows
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.emotions import EMOTIONS

SMALL = Sizes(dim=12, hidden_dim=24, n_heads=2, n_layers=1, max_position_embeddings=64)


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """A Parquet file of 300 messages."""
    file = tmp_path / "tweets.parquet"
    ids = [str(number) for number in range(300)]
    pq.write_table(pa.table({"id": ids, "author": ids, "text": [f"text {number}" for number in ids]}), file)
    return file


@pytest.mark.parametrize("rows", [3, 4, 7, 300])
def test_rows_come_from_the_start_in_one_file_a_core(messages: Path, tmp_path: Path, rows: int) -> None:
    written = write_rows(messages, rows, cores=3, folder=tmp_path / "rows")
    parts = [pq.read_table(file) for file in sorted(written.timed.iterdir())]
    assert [row for part in parts for row in part["id"].to_pylist()] == [str(number) for number in range(rows)]
    assert len(parts) == 3
    assert max(part.num_rows for part in parts) - min(part.num_rows for part in parts) <= 1


def test_each_core_warms_up_on_rows_of_the_end(messages: Path, tmp_path: Path) -> None:
    written = write_rows(messages, 10, cores=2, folder=tmp_path / "rows")
    warm_up = pq.read_table(written.warm_up)
    assert [pq.read_metadata(file).num_rows for file in sorted(written.warm_up.iterdir())] == [64, 64]
    assert warm_up["id"].to_pylist()[-1] == "299"


def test_rows_of_an_earlier_run_are_replaced(messages: Path, tmp_path: Path) -> None:
    write_rows(messages, 30, cores=3, folder=tmp_path / "rows")
    written = write_rows(messages, 10, cores=2, folder=tmp_path / "rows")
    assert pq.read_table(written.timed).num_rows == 10


@pytest.mark.parametrize("rows", [1, 301])
def test_a_file_of_too_few_rows_is_refused(messages: Path, tmp_path: Path, rows: int) -> None:
    with pytest.raises(BenchmarkError, match=r"expected from 2 to 300 rows"):
        write_rows(messages, rows, cores=2, folder=tmp_path / "rows")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="found no such file"):
        write_rows(tmp_path / "none.parquet", 10, cores=2, folder=tmp_path / "rows")


def test_the_made_model_loads_on_both_sides(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = make_model(tmp_path / "models" / "tiny", SMALL)

    artifact = open_artifact(ArtifactSource(str(folder)))
    assert artifact.configuration.dim == SMALL.dim
    assert artifact.configuration.n_layers == SMALL.n_layers

    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True)
    assert type(theirs).__name__ == "DistilBertForSequenceClassification"
    assert tuple(theirs.config.id2label.values()) == EMOTIONS
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert theirs(**tokenizer(["so happy"], return_tensors="pt")).logits.shape == (1, 6)


def test_a_model_is_made_once_and_the_same_from_its_seed(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    first = make_model(tmp_path / "first", SMALL)
    weights = first / "model.safetensors"
    made_at = weights.stat().st_mtime_ns
    make_model(first, SMALL)
    assert weights.stat().st_mtime_ns == made_at
    assert (make_model(tmp_path / "second", SMALL) / "model.safetensors").read_bytes() == weights.read_bytes()


def test_models_are_found_by_name_and_by_folder() -> None:
    assert find_model("bundled") == BUNDLED
    assert find_model(str(BUNDLED)) == BUNDLED
    with pytest.raises(BenchmarkError, match="expected base, tiny, bundled or a model folder"):
        find_model("no/such/model")


def test_tiny_is_made_when_it_is_first_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    monkeypatch.setattr(inputs, "BUILD", tmp_path)
    configuration = open_artifact(ArtifactSource(str(find_model("tiny")))).configuration
    assert (configuration.dim, configuration.n_layers) == (TINY.dim, TINY.n_layers)
