"""The benchmark from end to end with a tiny model, and how its shares are put together."""

import json
from pathlib import Path

import pytest

from benchmarks.gpu.inputs import write_random_model
from benchmarks.inputs import Sizes
from benchmarks.scoring import Share, Work, main, summarise
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.cpu.int16 import can_use_int16

BUNDLED = open_artifact(ArtifactSource())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = Sizes(dim=32, hidden_dim=64, n_heads=4, n_layers=2)
    return write_random_model(tmp_path_factory.mktemp("models") / "tiny", sizes)


def test_two_cores_from_end_to_end(model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scoring.json"
    small = "--rows 120 --cores 2 --repeats 2 --precision fp32 --ceiling-tokens 16 --profile"
    assert main([*small.split(), "--model", str(model), "--data", str(data / "tweets.parquet"), "--out", str(out)]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["engines"] == ["torch fp32 on cpu"]
    assert [len(of_core) for of_core in result["seconds_by_core"]] == [2, 2]
    assert result["rows_per_second"] == pytest.approx(120 / result["median_s"])
    assert set(result["linear_rates"]) - {"int16"} == {"fp32", "bf16"}
    assert result["flops"]["useful_per_second"] > result["flops"]["executed_per_second"] > 0
    shares = result["phase_shares"]
    assert shares["batch"] + shares["forward"] + shares["waiting"] == pytest.approx(1)
    assert "aten::addmm" in {one["operator"] for one in result["operators"]}
    assert sum(one["share"] for one in result["operators"]) <= 1 + 1e-9
    assert {"machine", "versions", "commit"} <= set(result)
    assert "120" not in capsys.readouterr().err


@pytest.mark.skipif(not can_use_int16(BUNDLED.configuration), reason="needs AVX2 and llvmlite")
def test_a_profile_tells_of_kernels_that_are_not_torchs(model: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "scoring.json"
    small = "--rows 40 --cores 1 --repeats 1 --precision int16 --ceiling-tokens 16 --profile"
    assert main([*small.split(), "--model", str(model), "--data", str(data / "tweets.parquet"), "--out", str(out)]) == 0
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["engines"] == ["torch int16 on cpu"]
    assert set(result["linear_rates"]) == {"fp32", "bf16", "int16"}
    assert "Int16Linear" in {one["operator"] for one in result["operators"]}


def test_more_rows_than_there_are(model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scoring.json"
    asked = ["--rows", "99999", "--model", str(model), "--data", str(data / "tweets.parquet"), "--out", str(out)]
    assert main(asked) == 2
    assert "40,000 rows" in capsys.readouterr().err


def _share(seconds: list[float]) -> Share:
    phases = {"tokenize": 0.5, "batch": 0.1, "forward": 0.9 * sum(seconds)}
    return Share("torch bf16 on cpu", [10] * 50, seconds, phases, {"fp32": 1e9, "bf16": 4e9}, [])


@pytest.mark.parametrize(("in_bf16", "met"), [(True, False), (False, None)])
def test_a_repetition_lasts_as_long_as_its_slowest_core(model: Path, in_bf16: bool, met: bool | None) -> None:
    work = Work(model, Path("unread"), 100, 2, "bf16", 3, False)
    found = summarise(work, [_share([1.0, 2.0, 4.0]), _share([3.0, 1.0, 1.0])], in_bf16)
    assert found["seconds"] == [3.0, 2.0, 4.0]
    assert found["rows_per_second"] == pytest.approx(100 / 3)
    assert found["linear_rates"] == {"fp32": 2e9, "bf16": 8e9}
    assert found["goal"] == {"useful_share_of_bf16": 0.7, "applies": in_bf16, "met": met}
