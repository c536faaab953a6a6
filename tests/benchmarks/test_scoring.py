"""The bare classifier, measured from end to end with a tiny model, and with the packages of a GPU machine only."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.inputs import RESIZED, make_model
from benchmarks.machine import ROOT
from benchmarks.scoring import goals, summarize
from emotion_udf.classifier.configuration import ModelConfig

SIZES = ModelConfig(dim=96, hidden_dim=384, n_heads=4, n_layers=3, vocab_size=50, max_position_embeddings=64)

WITHOUT = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pyspark", "pydantic", "rich", "deltalake", "altair", "llvmlite"}:
            raise ModuleNotFoundError(f"{name} is not to be had here", name=name)

sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny", RESIZED["tiny"])


def run_with_few_packages(module: str, arguments: str, out: Path) -> tuple[int, dict[str, Any]]:
    """Run a benchmark in a Python that has neither Spark nor pydantic."""
    command = [sys.executable, "-c", WITHOUT, module, *arguments.split(), "--data", "probes", "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_scoring_needs_few_packages(model: Path, tmp_path: Path) -> None:
    asked = f"--rows 60 --cores 2 --repeats 2 --precision fp32 fp16 --window 20 --profile --model {model}"
    code, record = run_with_few_packages("benchmarks.scoring", asked, tmp_path / "scoring.json")
    assert code == 1
    measured, failed = record["rows"]
    assert "expects a GPU" in failed["failed"]
    assert measured["engine"] == "torch fp32 on cpu"
    assert [len(of_both) for of_both in measured["seconds"]] == [2, 2]
    assert measured["rows_per_s"] > 0
    assert measured["useful_of_fp32"] == pytest.approx(measured["useful_gflops"] / measured["linear_gflops_fp32"])
    assert measured["time_tokenize"] > 0
    assert measured["time_forward"] <= 1
    assert "aten::addmm" in {one["operator"] for one in measured["operators"]}
    assert sum(one["share"] for one in measured["operators"]) <= 1 + 1e-9


def test_parity_needs_few_packages(model: Path, tmp_path: Path) -> None:
    asked = f"--rows 60 --precision bf16 --model {model}"
    code, record = run_with_few_packages("benchmarks.parity", asked, tmp_path / "parity.json")
    assert record["rows"][0]["engine"] == "torch bf16 on cpu"
    assert (code == 0) == all(goal["is_met"] for goal in record["goals"])


def test_a_repetition_lasts_as_long_as_its_slowest_process() -> None:
    phases = {"tokenize": 0.5, "batch": 0.1, "forward": 6.0}
    found = [{"phases": phases, "lengths": [10] * 50, "peak_memory_gib": None} for _ in range(2)]
    seconds = [[1.0, 3.0], [2.0, 1.0], [4.0, 1.0]]
    row = summarize(SIZES, seconds, found, [{"fp32": 1e9, "bf16": 4e9}] * 2)
    assert row["rows_per_s"] == pytest.approx(100 / 3)
    assert (row["linear_gflops_fp32"], row["linear_gflops_bf16"]) == (2.0, 8.0)
    assert row["time_forward"] == 1.0
    assert row["time_tokenize"] == pytest.approx(1 / 12)


def test_the_fastest_row_on_a_gpu_is_compared_with_its_goals() -> None:
    slow = {"gpu": "a GPU", "rows_per_s": 90_000.0, "useful_of_square_bf16": 0.9}
    fast = {"gpu": "a GPU", "rows_per_s": 160_000.0, "useful_of_square_bf16": 0.4}
    assert [(goal.name, goal.is_met) for goal in goals([slow, fast])] == [
        ("rows_per_s", True),
        ("useful_of_square_bf16", False),
    ]
