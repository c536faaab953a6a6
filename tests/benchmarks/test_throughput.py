"""The comparison, with contenders that are small scripts instead of Spark jobs."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import throughput
from benchmarks.contenders.measurement import Answer, Request, labels_of, last_line, measure, read_request
from benchmarks.contenders.pipelines import Scores, score_by_length, to_columns
from benchmarks.contenders.process import OURS, Contender, Outcome, run_contender
from benchmarks.inputs import BUNDLED
from benchmarks.throughput import Result, chosen, ratios, share_of_equal, to_result

SCRIPT = """
import shutil, sys, time
import pyarrow as pa, pyarrow.parquet as pq
from benchmarks.contenders.measurement import answer, measure

def run(request):
    def job(rows, output):
        {job}
        ids = pq.read_table(rows, columns=["id"])["id"].to_pylist(){cut}
        output.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({{"id": ids, "label": {labels}}}), output / "part.parquet")
    return measure(request, job, {{"best": request.best}})

answer(run)
"""


def contender(
    folder: Path, name: str, labels: str = '["joy"] * len(ids)', job: str = "pass", cut: str = ""
) -> Contender:
    """A contender that labels every row at once, in Python: `job` runs first, `cut` drops rows."""
    script = folder / f"{name}.py"
    script.write_text(SCRIPT.format(labels=labels, job=job, cut=cut), encoding="utf-8")
    return Contender(name, (sys.executable, str(script)))


@pytest.fixture
def messages(tmp_path: Path) -> Path:
    """A Parquet file of 100 messages."""
    file = tmp_path / "tweets.parquet"
    ids = [str(number) for number in range(100)]
    pq.write_table(pa.table({"id": ids, "text": ids}), file)
    return file


@pytest.fixture
def request_(tmp_path: Path, messages: Path) -> Request:
    """A request for two labels a row."""
    return Request(BUNDLED, messages, messages, tmp_path / "labels", tmp_path / "a" / "answer.json", 2, 2, best=False)


def run_with(
    contenders: list[Contender], messages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, throughput.Comparison]:
    """Run the whole benchmark with these contenders and read its result file."""
    monkeypatch.setattr(throughput, "chosen", lambda *_: contenders)
    monkeypatch.setattr(throughput, "WORK", tmp_path / "work")
    out = tmp_path / "results" / "throughput.json"
    command = ["--rows", "10", "--repeats", "3", "--model", "bundled", "--data", str(messages), "--out", str(out)]
    code = throughput.main(command)
    found: throughput.Comparison = json.loads(out.read_text(encoding="utf-8"))
    return code, found


def test_the_result_file_says_what_where_and_how_fast(
    messages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    every_other = '["joy" if int(id) % 2 else "fear" for id in ids]'
    contenders = [contender(tmp_path, OURS), contender(tmp_path, "other", every_other, "time.sleep(0.02)")]
    code, found = run_with(contenders, messages, tmp_path, monkeypatch)

    assert code == 0
    assert set(found) == set(throughput.Comparison.__annotations__)
    assert (found["rows"], found["model"], found["cores"]) == (10, "bundled", 2)
    other = found["results"]["other"]
    assert len(other["seconds"]) == 3
    assert min(other["seconds"]) >= 0.02
    assert other["rows_per_s"] == pytest.approx(10 / sorted(other["seconds"])[1])
    assert other["warm_up_s"] > 0
    assert other["settings"] == {"best": False}
    assert other["labels_equal"] == 0.5
    assert found["results"][OURS]["labels_equal"] == 1.0
    assert found["ratios"] == {"other": found["results"][OURS]["rows_per_s"] / other["rows_per_s"]}
    assert "50.00%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("job", "cut", "reason"),
    [
        ("raise ValueError('first line\\nno such model')", "", "no such model"),
        ("import os; os.write(2, b'killed by hand'); os._exit(9)", "", "killed by hand"),
        ("import os; os._exit(9)", "", "exit code 9"),
        ("pass", "[:4]", "expected 10 labelled rows, found 4"),
    ],
)
def test_a_contender_that_fails_is_named_and_ends_with_an_exit_code(
    job: str, cut: str, reason: str, messages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = contender(tmp_path, "broken", job=job, cut=cut)
    code, found = run_with([contender(tmp_path, OURS), broken], messages, tmp_path, monkeypatch)
    assert code == 1
    assert reason in found["results"]["broken"]["failed"]
    assert "rows_per_s" not in found["results"]["broken"]
    assert found["ratios"] == {}
    assert found["results"][OURS]["rows_per_s"] > 0


def test_labels_are_not_compared_with_those_of_a_failed_run(
    messages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = contender(tmp_path, OURS, job="raise OSError('no weights')")
    code, found = run_with([ours, contender(tmp_path, "other")], messages, tmp_path, monkeypatch)
    assert code == 1
    assert found["results"]["other"]["labels_equal"] is None
    assert found["ratios"] == {}


def test_a_contender_that_hangs_is_ended(tmp_path: Path, request_: Request) -> None:
    hanging = contender(tmp_path, "hanging", job="time.sleep(600)")
    assert run_contender(hanging, request_, timeout_s=0.5).answer == {"error": "did not end within 0.5 seconds"}


def test_a_request_is_read_as_it_was_written(request_: Request) -> None:
    assert read_request(request_.to_arguments()) == request_
    assert read_request([*request_.to_arguments(), "--best"]).best


def test_seconds_before_the_workers_were_ready_are_told_apart(request_: Request) -> None:
    ran: list[Path] = []

    def job(rows: Path, output: Path) -> float:
        ran.append(rows)
        assert output == request_.output
        return 0.25

    measured = measure(request_, job, {"threads": 1})
    assert ran == [request_.warm_up, request_.timed, request_.timed]
    assert measured["start_up_s"] == [0.25, 0.25]
    assert all(-0.25 <= seconds < 0 for seconds in measured["seconds"])


def test_the_reason_of_a_spark_error_stands_above_javas_stack() -> None:
    error = RuntimeError("Job aborted\nOSError: no weights\n\n\tat org.apache.spark.Task.run(Task.scala)\n\t... 3 more")
    assert last_line(error) == "OSError: no weights"
    assert last_line(ValueError()) == "ValueError"


def test_rows_per_second_come_from_the_median(tmp_path: Path) -> None:
    answer = Answer(seconds=[1.0, 9.0, 2.0], start_up_s=[0.0] * 3, warmed_up_at=0.0, settings={}, versions={})
    assert to_result(Outcome(answer, 4.0, tmp_path), rows=100)["rows_per_s"] == 50.0


def test_ratios_say_how_many_times_as_fast_this_project_is() -> None:
    results = {OURS: Result(rows_per_s=300.0), "slow": Result(rows_per_s=60.0), "broken": Result(failed="no")}
    assert ratios(results) == {"slow": 5.0}
    assert ratios({"slow": Result(rows_per_s=60.0)}) == {}


def test_a_label_that_is_missing_is_not_equal() -> None:
    assert share_of_equal({"1": "joy"}, {"1": "joy", "2": "fear"}) == 0.5
    assert share_of_equal({"1": "joy"}, {}) is None


def test_unknown_peers_and_a_missing_environment_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(throughput, "PEERS_READY", tmp_path / "none")
    assert throughput.main(["--peers", "nobody", "--out", str(tmp_path / "out.json")]) == 2
    assert "found nobody" in capsys.readouterr().err
    assert throughput.main(["--peers", "ray", "--out", str(tmp_path / "out.json")]) == 2
    assert "tools/setup_benchmarks.sh" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_every_peer_has_a_best_variant_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "PEERS_READY", tmp_path)
    contenders = chosen(["ray", "hf-pipeline"], best=True)
    assert [(one.name, one.best) for one in contenders] == [
        (OURS, False),
        ("ray", False),
        ("ray-best", True),
        ("hf-pipeline", False),
        ("hf-pipeline-best", True),
    ]


def test_texts_are_scored_by_length_and_returned_in_their_order() -> None:
    seen: list[str] = []

    def classifier(texts: list[str]) -> list[Scores]:
        seen.extend(texts)
        return [[{"label": text, "score": 1.0}] for text in texts]

    scores = score_by_length(classifier, ["bb", "a", "dddd", "ccc"])
    assert seen == ["dddd", "ccc", "bb", "a"]
    assert to_columns(scores, [])["label"] == ["bb", "a", "dddd", "ccc"]


def test_scores_become_a_column_a_label() -> None:
    scores = [[{"label": "joy", "score": 0.9}, {"label": "fear", "score": 0.1}]]
    assert to_columns(scores, ["fear", "joy"]) == {"label": ["joy"], "score": [0.9], "fear": [0.1], "joy": [0.9]}


def test_labels_come_in_the_order_of_their_ids() -> None:
    assert labels_of(BUNDLED) == ["sadness", "joy", "love", "anger", "fear", "surprise"]
