"""The measurement of nights, with a spark-submit that writes what a night leaves. Nothing here starts Spark."""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import nights
from benchmarks.harness import run
from benchmarks.nights import DAY, EARLIER_DAY, distinct_texts, goals, to_row, write_messages
from tests.helpers.night_script import read_asked, write_submit

pytestmark = pytest.mark.slow

OWN = ["good", "bad", "good", "so so"]


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list of nights that a spark-submit beside this Python has run."""
    log = tmp_path / "ran"
    write_submit(tmp_path, log)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(nights, "_FOLDER", tmp_path / "work")
    return log


def measure(folder: Path, options: str) -> tuple[int, dict[str, Any]]:
    """Run the benchmark; return the exit code, and the rows by night."""
    out = folder / "nights.json"
    asked = f"--rows 9 --data probes --repeats 2 --out {out} {options}"
    code = run("nights", nights.add_options, nights.measure, goals, asked.split())
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"] if out.exists() else []
    return code, {row["night"]: row for row in rows}


def lines(log: Path) -> list[list[Any]]:
    return [[*row["window"], row["reuse"], row["rows"], row["texts"], row["runs"]] for row in read_asked(log)]


def test_again_is_a_night_and_the_same_once_more(ran: Path, tmp_path: Path) -> None:
    code, rows = measure(tmp_path, "--measure again")
    assert code == 0
    assert lines(ran) == [[DAY.isoformat(), "history", 9, 9, earlier] for earlier in (0, 1, 0, 1)]
    assert [rows[night]["texts_scored"] for night in ("first", "second")] == [9, 0]
    assert [rows[night]["run_s"] for night in ("first", "second")] == [30.0, 3.0]
    assert rows["first"]["score_s"] == 29.0
    assert rows["first"]["wall_s"] > 0


def test_a_second_night_with_other_numbers_is_an_error(ran: Path, tmp_path: Path) -> None:
    write_submit(tmp_path, ran, share="0.25 + runs / 100")
    assert measure(tmp_path, "--measure again")[0] == 1


def test_new_texts_meet_a_copy_of_the_same_history_in_turns(ran: Path, tmp_path: Path) -> None:
    _, rows = measure(tmp_path, "--measure new --history 4")
    day = DAY.isoformat()
    without, with_history = [day, "night", 9, 9, 1], [day, "history", 9, 9, 1]
    assert lines(ran) == [
        [EARLIER_DAY.isoformat(), "history", 4, 4, 0],
        *(without, with_history, with_history, without),
    ]
    assert list(rows) == ["without history", "with history"]


def test_a_night_that_fails_is_told_with_its_last_words(
    ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_submit(tmp_path, ran, fails=True)
    assert measure(tmp_path, "--measure again")[0] == 2
    assert "exit code 1" in (told := capsys.readouterr().err)
    assert "why" in told


@given(st.integers(0, 8), st.integers(0, 8))
def test_texts_are_distinct_and_begin_as_they_are(first: int, rows: int) -> None:
    texts = distinct_texts(OWN, first, rows)
    assert texts == distinct_texts(OWN, 0, first + rows)[first:]
    assert len(set(texts)) == rows
    assert distinct_texts(OWN, 0, 3) == ["good", "bad", "so so"]


def test_messages_have_ids_of_their_own_and_one_day(tmp_path: Path) -> None:
    table = pq.read_table(write_messages(["x"] * 25, date(2026, 1, 2), 2, tmp_path / "rows"))
    assert len(set(table["id"].to_pylist())) == 25
    assert {time.date() for time in table["created_at"].to_pylist()} == {date(2026, 1, 2)}
    assert len(set(table["source"].to_pylist())) == 10
    assert len(list((tmp_path / "rows").iterdir())) == 2


def test_messages_of_several_days_are_spread_evenly(tmp_path: Path) -> None:
    table = pq.read_table(write_messages(["x"] * 30, date(2026, 1, 2), 2, tmp_path / "rows", days=3))
    days = [time.date() for time in table["created_at"].to_pylist()]
    assert [days.count(date(2026, 1, day)) for day in (2, 3, 4)] == [10, 10, 10]


def test_a_row_has_the_medians_of_its_runs() -> None:
    runs = [
        {"wall_s": wall_s, "cpu_s": 2 * wall_s, "run_s": wall_s - 5, "steps": {"score": wall_s / 2}, "texts_scored": 3}
        for wall_s in (10.0, 20.0, 60.0)
    ]
    row = to_row("again", "first", runs)
    assert row["cpu_s"] == 40.0
    assert (row["wall_s"], row["run_s"], row["score_s"], row["texts_scored"]) == (20.0, 15.0, 10.0, 3)
