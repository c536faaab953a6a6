"""The comparison, with contenders that are small scripts instead of Spark jobs."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import throughput
from benchmarks.contenders.contract import Request, labels_of, time_jobs
from benchmarks.harness import Row, run
from benchmarks.inputs import BUNDLED
from benchmarks.throughput import COMMANDS, OURS, agrees, compare, goals
from emotion_udf.emotions import EMOTIONS

pytestmark = pytest.mark.slow

PEER = "hf-pipeline"
JOY = np.eye(6, dtype=np.float32)[[EMOTIONS.index("joy")]]

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
    monkeypatch.setattr(throughput, "score_in_fp32", lambda _, texts: JOY.repeat(len(texts), axis=0))


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
        asked = f"--rows 10 --repeats 3 --model bundled --data probes --peers {PEER} --out {out} {options}"
        code = run("throughput", throughput.add_options, throughput.measure, goals, asked.split())
        rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
        return code, {row["contender"]: row for row in rows}


@pytest.fixture
def compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    comparison = Compare(tmp_path, monkeypatch)
    comparison.contender(OURS)
    return comparison


def test_rates_and_labels_are_compared(compared: Compare) -> None:
    compared.contender(PEER, '["joy" if int(id) % 2 else "fear" for id in ids]', "time.sleep(0.02)")
    code, rows = compared(f"--peers {PEER} {PEER}-best")
    assert code == 0
    assert list(rows) == [OURS, PEER, f"{PEER}-best"]
    peer = rows[PEER]
    assert len(peer["seconds"]) == 3
    assert min(peer["seconds"]) >= 0.02
    assert peer["rows_per_s"] == pytest.approx(10 / sorted(peer["seconds"])[1])
    assert len(peer["cpu_s"]) == 3
    assert peer["rows_per_cpu_s"] > 0
    assert peer["times_slower"] == rows[OURS]["rows_per_s"] / peer["rows_per_s"]
    assert (peer["equal_labels"], rows[OURS]["equal_labels"]) == (0.5, 1.0)
    assert [rows[name]["settings"] for name in (PEER, f"{PEER}-best")] == [{"best": False}, {"best": True}]


@pytest.mark.parametrize(
    ("job", "cut", "reason"),
    [
        ("raise ValueError('no such model')", "", "exit code 1"),
        ("import os; os._exit(9)", "", "exit code 9"),
        ("time.sleep(600)", "", "did not end within 4 s"),
        ("pass", "[:4]", "expected 10 labels, found 4"),
    ],
)
def test_a_contender_that_fails_is_named_and_ends_with_1(compared: Compare, job: str, cut: str, reason: str) -> None:
    compared.contender(PEER, job=job, cut=cut)
    code, rows = compared("--timeout 4")
    assert code == 1
    assert reason in rows[PEER]["failed"]
    assert "rows_per_s" not in rows[PEER]
    assert rows[OURS]["rows_per_s"] > 0


def test_nobody_is_compared_with_a_failed_run(compared: Compare) -> None:
    compared.contender(OURS, job="raise OSError('no weights')")
    compared.contender(PEER)
    code, rows = compared()
    assert code == 1
    assert rows[PEER]["rows_per_s"] > 0
    assert "times_slower" not in rows[PEER]


def test_a_missing_environment_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(throughput, "PEERS_PYTHON", tmp_path / "none")
    asked = ["--out", str(tmp_path / "out.json"), "--data", "probes"]
    assert run("throughput", throughput.add_options, throughput.measure, arguments=asked) == 2
    assert "tools/setup_benchmarks.sh" in capsys.readouterr().err


def write(folder: Path, labels: list[str], **probabilities: list[float]) -> str:
    """Write labels, the last row's first, and return the folder."""
    folder.mkdir()
    ids = [str(row) for row in range(len(labels))]
    table = pa.table({"id": ids, "label": labels, **probabilities})
    pq.write_table(table.take(list(reversed(range(len(ids))))), folder / "part.parquet")
    return str(folder)


def test_labels_and_probabilities_are_compared_with_those_of_fp32_by_id(tmp_path: Path) -> None:
    reference = np.eye(6, dtype=np.float32)
    labels = [*EMOTIONS[:5], "joy"]
    assert compare(reference, write(tmp_path / "labels", labels)) == {"equal_labels": 5 / 6}
    columns = {name: column.tolist() for name, column in zip(EMOTIONS, reference.T - 0.25, strict=True)}
    row = compare(reference, write(tmp_path / "both", labels, **columns))
    assert row == {"equal_labels": 5 / 6, "p99": 0.25}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"equal_labels": 0.995, "p99": 0.05}, True),
        ({"equal_labels": 0.994, "p99": 0.0}, False),
        ({"equal_labels": 1.0, "p99": 0.051}, False),
        ({"equal_labels": 1.0}, True),  # a peer that tells labels only
    ],
)
def test_labels_agree_within_the_projects_own_limits(row: Row, expected: bool) -> None:
    assert agrees(row) == expected


def test_the_fastest_peers_whose_labels_agree_are_what_counts() -> None:
    rates = {OURS: 300.0, "hf-pipeline": 100.0, "spark-infer-ai": 60.0, "openvino-best": 240.0}
    rows = [{"contender": name, "rows_per_s": rate, "equal_labels": 1.0} for name, rate in rates.items()]
    rows.append({"contender": "ctranslate2-int8-best", "rows_per_s": 400.0, "equal_labels": 0.99})
    assert {goal.name: (goal.value, goal.is_met) for goal in goals(rows)} == {
        "times as fast as the fastest usual recipe, hf-pipeline": (3.0, True),
        "times as fast as the fastest of the best, openvino-best": (1.25, True),
    }


def test_a_request_is_read_as_it_was_written(request_: Request) -> None:
    assert Request(**json.loads(request_.to_json())) == request_


def test_workers_are_warmed_up_before_the_clock_runs(request_: Request) -> None:
    ran: list[tuple[str, str]] = []
    measured = time_jobs(request_, lambda *folders: ran.append(folders), {"threads": 1})
    assert ran == [(rows, request_.output) for rows in ("warm-up", "timed", "timed")]
    assert len(measured["seconds"]) == 2
    assert measured["settings"] == {"threads": 1}


def test_labels_come_in_the_order_of_their_ids() -> None:
    assert labels_of(str(BUNDLED)) == ["sadness", "joy", "love", "anger", "fear", "surprise"]
