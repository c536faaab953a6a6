"""The clock of a start. Nothing here starts Spark."""

import json
import sys
import time
from pathlib import Path

import pytest

from benchmarks.cold_start import starts
from benchmarks.cold_start.contenders import CONTENDERS, OURS, SPARK, Contender
from benchmarks.cold_start.stamps import Details
from benchmarks.inputs import BenchmarkError

STAMPS = {"driver": 101.0, "collected": 110.0}


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
    monkeypatch.setattr(starts, "python_of", lambda _: python)
    started = time.perf_counter()
    _, seconds, found = starts.start_once(OURS, "bundled", 60)
    assert 0 < seconds < time.perf_counter() - started - 0.6
    assert found == {"stamps": STAMPS, "versions": {"python": "3"}}


@pytest.mark.parametrize(
    "script", ["print('no such model')", "import time; print('no such model', flush=True); time.sleep(60)"]
)
def test_a_job_without_a_row_is_told_with_its_last_words(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = fake_submit(tmp_path, script)
    monkeypatch.setattr(starts, "python_of", lambda _: python)
    with pytest.raises(BenchmarkError, match="no such model"):
        starts.start_once(OURS, "bundled", 3)


def test_contenders_start_in_turns_after_a_round_that_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def start_once(contender: Contender, *_: object) -> tuple[float, float, Details]:
        order.append(contender.name)
        return 100.0, float(len(order)), Details(stamps=STAMPS, versions={})

    monkeypatch.setattr(starts, "start_once", start_once)
    measured = starts.measure([OURS, SPARK], "bundled", 2, 60)
    assert order == ["emotion-udf", "spark", "spark", "emotion-udf", "emotion-udf", "spark"]
    assert measured[OURS].seconds == [4.0, 5.0]
    assert measured[SPARK].phases == [{"spark-submit and its JVM": 1.0, "row back at the driver": 9.0}] * 2


def test_no_two_contenders_have_a_name() -> None:
    assert len({contender.name for contender in CONTENDERS}) == len(CONTENDERS)
