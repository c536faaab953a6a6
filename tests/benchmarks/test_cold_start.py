"""The measurement of a start: stamps, phases and shares. Nothing here starts Spark."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import cold_start
from benchmarks.cold_start import (
    OURS,
    PIPELINE,
    SPARK,
    TRACED,
    Details,
    Starts,
    median_phases,
    phases,
    process_started,
    submit_environment,
    summarise,
    table_of,
)
from benchmarks.inputs import BenchmarkError
from benchmarks.machine import write_result
from benchmarks.processes import end

STAMPS = {"driver": 101.0, "imported": 101.5, "session": 104.0, "made": 104.25, "collected": 110.0}


def test_phases_are_what_passed_between_stamps() -> None:
    spent = phases(100.0, STAMPS)
    assert list(spent.values()) == [1.0, 0.5, 2.5, 0.25, 5.75]
    assert sum(spent.values()) == pytest.approx(STAMPS["collected"] - 100.0)


def test_a_traced_worker_divides_the_last_phase() -> None:
    worker = {"daemon": 105.0, "worker": 105.5, "called": 106.0, "classifier_imported": 108.0, "loaded": 109.0}
    spent = phases(100.0, STAMPS | worker | {"scored": 109.5})
    assert spent["imports of torch and the classifier"] == 2.0
    assert spent["row back at the driver"] == 0.5
    assert list(spent) == list(cold_start.PHASES)


def test_medians_are_of_phases_that_every_start_has() -> None:
    both = [{"Spark session": 1.0, "model loaded": 2.0}, {"Spark session": 3.0}]
    assert median_phases(both) == {"Spark session": 2.0}


def test_the_summary_compares_medians() -> None:
    found = summarise({OURS: [9.0, 10.0, 50.0], PIPELINE: [20.0], SPARK: [5.0]})
    assert found == pytest.approx(
        {
            "of_pipeline": 0.5,
            "of_pipeline_without_spark": 5 / 15,
            "spark_in_ours": 0.5,
            "spark_in_pipeline": 0.25,
        }
    )


def test_the_start_of_a_process_whose_name_has_brackets(tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    fields = ["S"] + ["0"] * 18 + [str(250 * ticks)] + ["0"] * 30
    (tmp_path / "stat").write_text(f"42 (a) b (c) {' '.join(fields)}\n", encoding="utf-8")
    (tmp_path / "uptime").write_text("1000.00 1500.00\n", encoding="utf-8")
    started = process_started(tmp_path / "stat", tmp_path / "uptime")
    assert started == pytest.approx(time.time() - 750, abs=1)


def test_the_start_of_a_real_process() -> None:
    before = time.time()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = process_started(Path(f"/proc/{process.pid}/stat"))
        process.kill()
    assert before - 0.1 <= started <= time.time()


def test_spark_submit_finds_the_python_it_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--master elsewhere")
    found = submit_environment(Path("/some/bin/python"))
    assert found["PATH"].split(os.pathsep)[0] == "/some/bin"
    assert found["PYSPARK_PYTHON"] == found["PYSPARK_DRIVER_PYTHON"] == "/some/bin/python"
    assert "PYSPARK_SUBMIT_ARGS" not in found


def fake_submit(folder: Path, script: str) -> Path:
    """Put a `spark-submit` into a folder, and return the Python that would be beside it."""
    submit = folder / "spark-submit"
    submit.write_text(f"#!{sys.executable}\n{script}\n", encoding="utf-8")
    submit.chmod(0o755)
    return folder / "python"


def test_a_start_counts_to_the_first_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    details = json.dumps(Details(stamps=STAMPS, versions={"python": "3"}))
    script = f"""
import time
print("a warning")
print("first row: joy", flush=True)
time.sleep(0.7)
print("details: " + {details!r})
"""
    python = fake_submit(tmp_path, script)
    monkeypatch.setattr(cold_start, "python_of", lambda _: python)
    started = time.perf_counter()
    _, seconds, found = cold_start.start_once(OURS, "bundled", 60)
    assert 0 < seconds < time.perf_counter() - started - 0.6
    assert found == {"stamps": STAMPS, "versions": {"python": "3"}}


@pytest.mark.parametrize(
    "script", ["print('no such model')", "import time; print('no such model', flush=True); time.sleep(60)"]
)
def test_a_job_without_a_row_is_told_with_its_last_words(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = fake_submit(tmp_path, script)
    monkeypatch.setattr(cold_start, "python_of", lambda _: python)
    with pytest.raises(BenchmarkError, match="no such model"):
        cold_start.start_once(OURS, "bundled", 3)


def test_a_process_ends_with_what_it_started() -> None:
    script = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        end(process)
    for _ in range(100):
        if not is_running(child):
            break
        time.sleep(0.05)
    assert not is_running(child)
    end(process)  # nothing is left, which is no error


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_results_name_machine_versions_and_commit(tmp_path: Path) -> None:
    write_result(tmp_path / "new" / "result.json", {"seconds": [1.5]})
    written = json.loads((tmp_path / "new" / "result.json").read_text(encoding="utf-8"))
    assert written["seconds"] == [1.5]
    assert {"machine", "versions", "commit"} < set(written)


def test_the_table_says_whether_the_goal_is_met() -> None:
    starts = {name: Starts([seconds], [phases(100.0, STAMPS)]) for name, seconds in
              {OURS: 9.0, PIPELINE: 20.0, SPARK: 5.0, TRACED: 9.5}.items()}  # fmt: skip
    summary = summarise({name: measured.seconds for name, measured in starts.items()})
    table = table_of(starts, summary)
    assert "45% of hf-pipeline (goal: at most 50%, met)" in str(table.caption)
    assert table.row_count == 4 + 5
