"""The comparison, with contenders that are small scripts instead of Spark jobs."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import throughput
from benchmarks.contenders.contract import Request, labels_of, time_jobs
from benchmarks.contenders.pipelines import Scores, score, to_columns
from benchmarks.harness import run
from benchmarks.inputs import BUNDLED
from benchmarks.throughput import COMMANDS, OURS, choose_contenders

SCRIPT = """
import shutil, sys, time
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from benchmarks.contenders.contract import answer, time_jobs

def run(request):
    def job(rows, output):
        {job}
        ids = pq.read_table(rows, columns=["id"])["id"].to_pylist(){cut}
        Path(output).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({{"id": ids, "label": {labels}}}), Path(output) / "part.parquet")
    return time_jobs(request, job, {{"best": request.best}})

answer(run)
"""


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "WORK", tmp_path / "work")
    monkeypatch.setattr(throughput, "PEERS_PYTHON", Path(sys.executable))


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    """A request for two labels a row."""
    return Request(OURS, "model", "timed", "warm-up", str(tmp_path / "labels"), 2, 2, best=False)


class Compare:
    """Runs the comparison with scripts as contenders.

    Args:
        folder: For scripts and the record.
        monkeypatch: Of the test.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch

    def contender(self, name: str, labels: str = '["joy"] * len(ids)', job: str = "pass", cut: str = "") -> None:
        """Let a contender label every row at once, in Python: `job` runs first, `cut` drops rows."""
        script = self._folder / f"{name}.py"
        script.write_text(SCRIPT.format(labels=labels, job=job, cut=cut), encoding="utf-8")
        self._monkeypatch.setitem(COMMANDS, name, [sys.executable, str(script)])

    def __call__(self, options: str = "--timeout 60") -> tuple[int, dict[str, Any]]:
        """Run it over 10 rows; return the exit code, and the rows by contender."""
        out = self._folder / "throughput.json"
        asked = f"--rows 10 --repeats 3 --model bundled --data probes --peers ray --out {out} {options}"
        code = run("throughput", throughput.add_options, throughput.measure, arguments=asked.split())
        rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
        return code, {row["contender"]: row for row in rows}


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    comparison = Compare(tmp_path, monkeypatch)
    comparison.contender(OURS)
    return comparison


def test_rates_and_labels_are_compared(compare: Compare) -> None:
    compare.contender("ray", '["joy" if int(id) % 2 else "fear" for id in ids]', "time.sleep(0.02)")
    code, rows = compare("--best")
    assert code == 0
    assert list(rows) == [OURS, "ray", "ray-best"]
    ray = rows["ray"]
    assert len(ray["seconds"]) == 3
    assert min(ray["seconds"]) >= 0.02
    assert ray["rows_per_s"] == pytest.approx(10 / sorted(ray["seconds"])[1])
    assert ray["times_slower"] == rows[OURS]["rows_per_s"] / ray["rows_per_s"]
    assert ray["cold_start_s"] > 0
    assert (ray["equal_labels"], rows[OURS]["equal_labels"]) == (0.5, 1.0)
    assert [rows[name]["settings"] for name in ("ray", "ray-best")] == [{"best": False}, {"best": True}]


@pytest.mark.parametrize(
    ("job", "cut", "reason"),
    [
        ("raise ValueError('no such model')", "", "exit code 1"),
        ("import os; os._exit(9)", "", "exit code 9"),
        ("time.sleep(600)", "", "did not end within 4 s"),
        ("pass", "[:4]", "expected 10 labels, found 4"),
    ],
)
def test_a_contender_that_fails_is_named_and_ends_with_1(compare: Compare, job: str, cut: str, reason: str) -> None:
    compare.contender("ray", job=job, cut=cut)
    code, rows = compare("--timeout 4")
    assert code == 1
    assert reason in rows["ray"]["failed"]
    assert "rows_per_s" not in rows["ray"]
    assert rows[OURS]["rows_per_s"] > 0


def test_nobody_is_compared_with_a_failed_run(compare: Compare) -> None:
    compare.contender(OURS, job="raise OSError('no weights')")
    compare.contender("ray")
    code, rows = compare()
    assert code == 1
    assert rows["ray"]["rows_per_s"] > 0
    assert "times_slower" not in rows["ray"]


def test_a_missing_environment_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(throughput, "PEERS_PYTHON", tmp_path / "none")
    asked = ["--out", str(tmp_path / "out.json"), "--data", "probes"]
    assert run("throughput", throughput.add_options, throughput.measure, arguments=asked) == 2
    assert "tools/setup_benchmarks.sh" in capsys.readouterr().err


def test_every_peer_has_a_best_variant_beside_it() -> None:
    chosen = choose_contenders(["ray", "hf-pipeline"], best=True)
    assert chosen == [(OURS, False), ("ray", False), ("ray", True), ("hf-pipeline", False), ("hf-pipeline", True)]


def test_a_request_is_read_as_it_was_written(request_: Request) -> None:
    assert Request(**json.loads(request_.to_json())) == request_


def test_seconds_before_the_workers_were_ready_are_told_apart(request_: Request) -> None:
    ran: list[str] = []

    def job(rows: str, output: str) -> float:
        ran.append(rows)
        assert output == request_.output
        return 0.25

    measured = time_jobs(request_, job, {"threads": 1})
    assert ran == ["warm-up", "timed", "timed"]
    assert measured["start_up_s"] == [0.25, 0.25]
    assert all(-0.25 <= seconds < 0 for seconds in measured["seconds"])


def test_texts_are_scored_by_length_and_returned_in_their_order() -> None:
    seen: list[str] = []

    def classifier(texts: list[str]) -> list[Scores]:
        seen.extend(texts)
        return [[{"label": text, "score": 1.0}] for text in texts]

    texts = ["bb", "a", "dddd", "ccc"]
    assert to_columns(score(classifier, texts, by_length=True), [])["label"] == texts
    assert seen == ["dddd", "ccc", "bb", "a"]
    assert to_columns(score(classifier, texts, by_length=False), [])["label"] == texts


def test_scores_become_a_column_a_label() -> None:
    scores = [[{"label": "joy", "score": 0.9}, {"label": "fear", "score": 0.1}]]
    assert to_columns(scores, ["fear", "joy"]) == {"label": ["joy"], "score": [0.9], "fear": [0.1], "joy": [0.9]}


def test_labels_come_in_the_order_of_their_ids() -> None:
    assert labels_of(str(BUNDLED)) == ["sadness", "joy", "love", "anger", "fear", "surprise"]
