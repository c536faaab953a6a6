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

OWN = ["good", "bad", "good", "so so"]

SUBMIT = f"""#!{sys.executable}
import json, sys
from datetime import datetime, timedelta
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

if {{fails}}:
    sys.exit("why")
options = dict(part[6:].split("=", 1) for part in sys.argv if part.startswith("--set="))
day = sys.argv[sys.argv.index("--date") + 1]
root = Path(options["warehouse.root"])
texts = pq.read_table(options["input.path"])["text"].to_pylist()
runs = DeltaTable(root / "runs").to_pyarrow_table().num_rows if (root / "runs").exists() else 0
known = runs and options["scores.reuse"] == "history"
now = datetime(2026, 10, 6) + timedelta(hours=runs)
seconds = 3.0 if known else 30.0
row = {{{{
    "started_at": now, "finished_at": now + timedelta(seconds=seconds), "seconds": [("score", seconds - 1)],
    "distinct_texts": len(set(texts)), "reused_texts": len(set(texts)) if known else 0, "engines": ["torch"],
}}}}
schema = pa.schema([
    ("started_at", pa.timestamp("us")), ("finished_at", pa.timestamp("us")), ("seconds", pa.map_("string", "double")),
    ("distinct_texts", "int64"), ("reused_texts", "int64"), ("engines", pa.list_(pa.string())),
])
write_deltalake(root / "runs", pa.Table.from_pylist([row], schema), mode="append")
share = {{share}}
daily = pa.table({{{{"emotion": ["joy", "fear"], "share": [share, 1 - share], "run_id": [str(runs)] * 2}}}})
write_deltalake(root / "emotion_daily", daily, mode="overwrite")
with open({{log!r}}, "a") as log:
    print(json.dumps([day, options["scores.reuse"], len(texts), len(set(texts)), runs]), file=log)
"""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list of nights that a spark-submit beside this Python has run."""
    log = tmp_path / "ran"
    write_submit(tmp_path, log)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(nights, "_FOLDER", tmp_path / "work")
    return log


def write_submit(folder: Path, log: Path, fails: bool = False, share: str = "0.25") -> None:
    submit = folder / "spark-submit"
    submit.write_text(SUBMIT.format(fails=fails, share=share, log=str(log)), encoding="utf-8")
    submit.chmod(0o755)


def measure(folder: Path, options: str) -> tuple[int, dict[str, Any]]:
    """Run the benchmark; return the exit code, and the rows by night."""
    out = folder / "nights.json"
    asked = f"--rows 9 --data probes --repeats 2 --out {out} {options}"
    code = run("nights", nights.add_options, nights.measure, goals, asked.split())
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"] if out.exists() else []
    return code, {row["night"]: row for row in rows}


def lines(log: Path) -> list[list[Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


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


def test_repeated_texts_come_twice(ran: Path, tmp_path: Path) -> None:
    measure(tmp_path, "--measure repeated --repeats 1")
    assert lines(ran) == [[DAY.isoformat(), reuse, 9, 5, 0] for reuse in ("off", "night")]


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


def test_a_row_has_the_medians_of_its_runs() -> None:
    runs = [
        {"wall_s": wall_s, "run_s": wall_s - 5, "steps": {"score": wall_s / 2}, "texts_scored": 3}
        for wall_s in (10.0, 20.0, 60.0)
    ]
    row = to_row("again", "first", runs)
    assert (row["wall_s"], row["run_s"], row["score_s"], row["texts_scored"]) == (20.0, 15.0, 10.0, 3)
