"""The whole command on a machine without a GPU, with only the packages that a GPU machine is asked to have."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.checks import check_attention
from benchmarks.gpu.inputs import paired_probes, write_random_model
from benchmarks.gpu.plan import Setting
from benchmarks.gpu.record import Found, Record
from benchmarks.gpu.speed import PreparedTokens
from benchmarks.inputs import Sizes
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.tokenizer import Tokens
from tests.helpers.paths import ROOT

WITHOUT = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pyspark", "transformers", "pydantic", "rich", "deltalake", "huggingface_hub"}:
            raise ModuleNotFoundError(f"{name} is not to be had here", name=name)

sys.meta_path.insert(0, Refuse())
sys.argv = ["gpu.py", *sys.argv[1:]]
runpy.run_module("benchmarks.gpu", run_name="__main__")
"""


def test_the_command_without_gpu_and_with_few_packages(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    model = write_random_model(tmp_path / "tiny", Sizes(dim=32, hidden_dim=64, n_heads=4, n_layers=2))
    tiny = ["--device", "cpu", "--rows", "40", "--repeats", "1", "--model", str(model)]
    files = ["--data", str(tmp_path / "none.parquet"), "--out", str(out)]
    # The compiler takes half a minute, whatever it compiles; without it the same lines run.
    environment = os.environ | {"TORCHDYNAMO_DISABLE": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WITHOUT, *tiny, *files]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _check(json.loads(out.read_text(encoding="utf-8")))
    assert "NOTE: no GPU" in done.stdout
    assert "FAILED" not in done.stdout
    assert "150,000 rows/s" in done.stdout


def _check(result: "dict[str, dict[str, dict[str, object]]]") -> None:
    assert {"machine", "versions", "commit", "goals", "best_eager"} <= set(result)
    assert len(result["notes"]) == 2
    found = result["measurements"]
    assert not [name for name, entry in found.items() if "error" in entry]
    scored = {name: entry for name, entry in found.items() if name.startswith("score")}
    assert len(scored) == 2 * 2 + 1 + 1  # precisions x token budgets, another window, compiled
    for entry in scored.values():
        assert {"seconds", "rows_per_second", "shares", "peak_memory_gib", "compiled"} <= set(entry)
    for name in ("forward alone", "tokenize alone", "cut and pack alone"):
        assert "rows_per_second" in found[f"{name} of the best eager"]
    assert found["profile of the best eager"]["operators"]
    assert all(found[f"{check} {kind}"]["holds"] for check in ("parity", "attention") for kind in ("fp32", "bf16"))


def test_a_failing_measurement_is_a_line_and_not_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record(tmp_path / "out.json", {"benchmark": "gpu"}, seconds=60)

    def fail() -> Found:
        raise RuntimeError("no compiler\nand more")

    record.take("compiled", fail)
    record.take("eager", lambda: Found({"rate": 1.0}, "1 row/s"))
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["measurements"]
    assert written["compiled"]["error"] == "RuntimeError: no compiler"
    assert written["eager"]["rate"] == 1.0
    assert "FAILED: RuntimeError: no compiler" in capsys.readouterr().out


def test_nothing_begins_after_the_time_is_over(tmp_path: Path) -> None:
    record = Record(tmp_path / "out.json", {}, seconds=-1)
    assert "not begun" in record.take("late", lambda: Found({}, ""))["error"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_attention_in_runs_holds_on_a_cpu(precision: str) -> None:
    found = check_attention("cpu", precision, heads=2, size=16)
    assert (found.figures["holds"], found.figures["unpadded"]) == (True, False)


def test_the_written_model_is_read_as_any_other(tmp_path: Path) -> None:
    sizes = Sizes(dim=32, hidden_dim=64, n_heads=4, n_layers=2)
    folder = write_random_model(tmp_path / "model", sizes)
    assert write_random_model(folder, sizes) == folder
    configuration = open_artifact(ArtifactSource(str(folder))).configuration
    assert (configuration.dim, configuration.n_layers, configuration.temperature) == (32, 2, None)


def test_transformers_reads_the_written_model_too(tmp_path: Path) -> None:
    from transformers import DistilBertForSequenceClassification

    from emotion_udf.classifier.engine import TorchEngine

    folder = write_random_model(tmp_path / "model", Sizes(dim=32, hidden_dim=64, n_heads=4, n_layers=2))
    theirs = DistilBertForSequenceClassification.from_pretrained(folder).train(False)
    rows = [[101, 2204, 2851, 102]]
    with torch.no_grad():
        expected = theirs(torch.tensor(rows)).logits.softmax(dim=1)
    torch.testing.assert_close(TorchEngine(open_artifact(ArtifactSource(str(folder)))).probabilities(rows), expected)


def test_prepared_tokens_begin_again() -> None:
    first, second = Tokens([[1]], [1]), Tokens([[2]], [1])
    prepared = PreparedTokens([first, second])
    assert [prepared.encode([]) for _ in range(3)] == [first, second, first]


def test_paired_probes_are_two_different_sentences() -> None:
    texts = paired_probes()
    assert len(set(texts)) == len(texts)


def test_a_setting_names_its_measurement() -> None:
    assert str(Setting("bf16", 65_536, 10_000, "blocks")) == "score bf16 65,536 tokens, 10,000 rows, compiled blocks"
