"""The exit code both ways, and the strict share beside the one that forgives ties."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.gpu.inputs import paired_probes, write_random_model
from benchmarks.inputs import BenchmarkError, Sizes
from benchmarks.parity import WINDOW, Accuracy, Agreement, MakeEngine, Pair, agreement, main, read_labelled, windows
from emotion_udf.classifier.artifact import Artifact, ArtifactSource, open_artifact
from emotion_udf.classifier.engine import TorchEngine
from emotion_udf.probes import canary_sentences
from emotion_udf.settings.classifier import ClassifierSettings


class Spoilt(TorchEngine):
    """Gives every emotion the probability of its neighbour."""

    def probabilities(self, rows: Sequence[Sequence[int]]) -> Tensor:
        return super().probabilities(rows).roll(1, dims=1)


class Undecided(TorchEngine):
    """Says of everything that all six are equally probable, but for a hair."""

    def __init__(self, artifact: Artifact, favourite: int) -> None:
        super().__init__(artifact)
        self._favourite = favourite

    def probabilities(self, rows: Sequence[Sequence[int]]) -> Tensor:
        probabilities = torch.full((len(rows), 6), 1 / 6)
        probabilities[:, self._favourite] += 0.001
        return probabilities


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    sizes = Sizes(dim=32, hidden_dim=64, n_heads=4, n_layers=2)
    folder = write_random_model(tmp_path_factory.mktemp("models") / "tiny", sizes)
    return open_artifact(ArtifactSource(str(folder)))


def _run(folder: Path, data: Path, precision: str, make_engine: MakeEngine) -> tuple[int, dict[str, object]]:
    labelled = folder / "labelled.txt"
    canary = [f"{text};{emotion}" for text, emotion in canary_sentences()]
    labelled.write_text("\n".join(canary[::8]) + "\n", encoding="utf-8")
    out = folder / "parity.json"
    arguments = f"--rows 24 --precision {precision} --data {data} --labelled {labelled} --out {out}".split()
    code = main(arguments, make_engine)
    return code, json.loads(out.read_text(encoding="utf-8"))


def test_the_bundled_classifier_in_another_engine_holds(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result = _run(tmp_path, data / "tweets.parquet", "fp32", TorchEngine)
    assert (code, result["holds"]) == (0, True)
    assert result["messages"] == {
        "rows": 24,
        "equal_labels": 1.0,
        "equal_but_for_ties": 1.0,
        "changed": {"p50": 0.0, "p90": 0.0, "p99": 0.0, "p99_9": 0.0, "max": 0.0},
    }
    assert "the limits hold" in capsys.readouterr().out


def test_a_spoilt_engine_fails(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = _run(tmp_path, data / "tweets.parquet", "fp32", Spoilt)
    assert (code, result["holds"]) == (1, False)
    assert "DO NOT HOLD" in capsys.readouterr().out


def test_missing_messages_are_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "out.json")]) == 2
    assert "--data" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_ties_count_in_the_strict_share(artifact: Artifact) -> None:
    found = agreement(Pair(artifact, Undecided(artifact, 0), Undecided(artifact, 3)), ["one", "two"])
    assert (found.equal_labels, found.equal_but_for_ties) == (0.0, 1.0)
    assert found.changed["max"] == pytest.approx(0.001, rel=1e-3)
    assert not found.holds


def test_bf16_of_a_small_model_is_close_but_not_equal(artifact: Artifact) -> None:
    pair = Pair(artifact, TorchEngine(artifact), TorchEngine(artifact, precision=torch.bfloat16))
    changed = agreement(pair, paired_probes()[:20]).changed
    assert 0 < changed["p50"] <= changed["p99"] <= changed["max"] < 0.05


def test_limits() -> None:
    kept = {"p99": 0.05}
    assert Agreement(1_000, 0.995, 1.0, kept).holds
    assert not Agreement(1_000, 0.994, 1.0, kept).holds
    assert not Agreement(1_000, 1.0, 1.0, {"p99": 0.051}).holds
    assert not Agreement(1_000, 1.0, 1.0, {"p99": float("nan")}).holds
    assert Accuracy(2_000, 93.2, 93.0).holds
    assert not Accuracy(2_000, 93.2, 92.95).holds
    assert Accuracy(2_000, 93.2, 94.0).points_lost == -0.8


def test_labelled_sentences_may_hold_semicolons(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("so; well;joy\nno;anger\n", encoding="utf-8")
    labelled = read_labelled(tmp_path / "some.txt")
    assert labelled.texts == ["so; well", "no"]
    assert np.array_equal(labelled.emotions, [1, 3])


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_text("well;bliss\n", encoding="utf-8")
    with pytest.raises(BenchmarkError, match="bliss"):
        read_labelled(tmp_path / "some.txt")


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_windows_hold_every_text_once(count: int) -> None:
    texts = [str(number) for number in range(count)]
    cut = list(windows(texts, 3))
    assert [text for window in cut for text in window] == texts
    assert all(len(window) == 3 for window in cut[:-1])


def test_windows_are_as_long_as_those_of_the_udf() -> None:
    assert ClassifierSettings().chunk_rows == WINDOW
