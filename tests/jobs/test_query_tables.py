import io
import os
import pty
import subprocess
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest

from emotion_udf.jobs.query_tables import main
from emotion_udf.schemas import DAILY, LABELS
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.jobs import Ended, run_main
from tests.helpers.labelled import label_of, publish_labels
from tests.helpers.paths import ROOT

D5 = date(2026, 10, 5)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    warehouse = DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))
    publish_labels(warehouse, [label_of(D5, f"m{n}", "joy", f"text {n}", product="[red]\x1b[31m") for n in range(3)])
    return tmp_path / "warehouse"


def ask(root: Path, *arguments: str) -> Ended:
    return run_main(main, ["--warehouse", str(root), *arguments])


def cells(out: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│┃").split("│")] for line in out.splitlines() if line[:1] == "│"]


def test_an_answer_is_a_table(root: Path) -> None:
    ended = ask(root, "-c", "SELECT emotion, feedback_count, share FROM emotion_daily ORDER BY 2 DESC, 1 LIMIT 2")
    assert ended.code == 0, ended.err
    assert cells(ended.out) == [["joy", "3", "1"], ["anger", "0", "0"]]
    assert "rows: 2" in ended.out


def test_tables_are_seen_at_the_version_of_their_release(root: Path) -> None:
    daily = DeltaWarehouse(open_folder(str(root))).open(DAILY)
    assert daily is not None
    daily.delete()  # by somebody, after the release
    ended = ask(root, "-c", "SELECT sum(feedback_count) FROM emotion_daily")
    assert cells(ended.out) == [["3"]]


def test_what_a_terminal_would_obey_is_shown_as_it_is(root: Path) -> None:
    ended = ask(root, "-c", "SELECT DISTINCT product FROM emotion_daily")
    assert cells(ended.out) == [["[red]\\x1b[31m"]]


def test_a_wide_row_is_whole_where_nobody_looks(root: Path) -> None:
    ended = ask(root, "-c", "SELECT repeat('x', 5000) AS wide")
    assert "x" * 5000 in ended.out


def test_many_rows_are_cut_and_said_so(root: Path) -> None:
    ended = ask(root, "-c", "SELECT * FROM range(1001)")
    assert len(cells(ended.out)) == 1_000
    assert "rows: 1,000 the first of more" in ended.out


def test_statements_come_from_standard_input(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    sql = f"SELECT 1 AS a;\n-- a comment\nCOPY (SELECT ';' AS b) TO '{file}' (HEADER);\nSELECT 2"
    monkeypatch.setattr(sys, "stdin", io.StringIO(sql))
    ended = ask(root)
    assert (ended.code, cells(ended.out)) == (0, [["1"], ["1"], ["2"]])
    assert file.read_text() == "b\n;\n"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT nothing FROM runs", "Catalog Error"),
        ("SELECT confidenc FROM emotion_labels", "Candidate bindings"),
        ("SELEC 1", "syntax error"),
    ],
)
def test_an_error_is_one_line(root: Path, sql: str, told: str) -> None:
    ended = ask(root, "-c", sql)
    assert ended.code == 2
    assert told in ended.err
    assert ended.err.count("\n") == 1


def test_without_a_release_it_says_so(tmp_path: Path) -> None:
    ended = ask(tmp_path / "nowhere", "-c", "SELECT 1")
    assert ended.code == 2
    assert "expected the tables of the nightly job below" in ended.err


def test_a_log_that_no_longer_has_the_release_is_told(root: Path) -> None:
    for log in (root / LABELS / "_delta_log").iterdir():
        log.unlink()
    ended = ask(root, "-c", "SELECT 1")
    assert ended.code == 3
    assert "expected version 1 of emotion_labels, which release 1 names" in ended.err


def test_files_that_are_gone_are_told(root: Path) -> None:
    for file in (root / LABELS / "data").rglob("*.parquet"):
        file.unlink()
    ended = ask(root, "-c", "SELECT count(emotion) FROM emotion_labels")
    assert ended.code == 3
    assert "expected every file of the tables, found one gone" in ended.err


def test_a_person_talks_with_it(root: Path, tmp_path: Path) -> None:
    typed = [
        ".tables",
        "SELECT count(*)",
        "FROM emotion_labels;",
        "SELECT nothing;",
        ".help",
        "SELECT 41 + 1;",
        ".quit",
    ]
    code, shown = at_a_terminal(["--warehouse", str(root)], typed, {"XDG_STATE_HOME": str(tmp_path)})
    assert code == 0, shown
    assert [row[0] for row in cells(shown)][-2:] == ["3", "42"]
    assert "error: Binder Error" in shown
    assert "DESCRIBE" in shown
    history = tmp_path / "emotion-udf/sql_history"
    assert "SELECT 41 + 1;" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def at_a_terminal(arguments: list[str], typed: list[str], variables: dict[str, str]) -> tuple[int, str]:
    """Start the job at a terminal of its own, type some lines, and return its exit code and what was shown."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "dumb", "COLUMNS": "100"} | variables
    command = [sys.executable, "-m", "emotion_udf.jobs.query_tables", *arguments]
    shown = b""
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        os.write(ours, "".join(f"{line}\n" for line in typed).encode())
        with suppress(OSError):  # Linux says so that the other end is closed
            while chunk := os.read(ours, 65_536):
                shown += chunk
        os.close(ours)
        code = process.wait(timeout=60)
    return code, shown.decode().replace("\r", "")
