import csv
import io
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.audit.sheet import MOST_TEXT_CHARS, match, read_sheet, text_cell, write_sheet
from emotion_udf.errors import InputError, UsageError

SAMPLE = "sample-0123456789ab"
IDS = {1: "1234567890123456789", 2: "007", 3: "=2+3", 4: "'m4", 5: "2E5"}
MESSAGES = [(number, feedback_id, f"text {number}") for number, feedback_id in IDS.items()]
WORDS = ["joy", "none", "Anger ", "", "fear"]
FILLED = {1: "joy", 2: "none", 3: "anger", 5: "fear"}

Records = list[list[str]]


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    file = tmp_path / "sheet.csv"
    write_sheet(file, SAMPLE, MESSAGES)
    return file


def records(file: Path) -> Records:
    return list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))


def fill(file: Path, words: list[str] = WORDS) -> Records:
    heading, *rows = records(file)
    return [heading, *([*row[:-1], word] for row, word in zip(rows, words, strict=True))]


def save(file: Path, rows: Records, delimiter: str = ",", encoding: str = "utf-8-sig", line: str = "\r\n") -> Path:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=line).writerows(rows)
    file.write_bytes(out.getvalue().encode(encoding))
    return file


def recorded(file: Path) -> dict[int, str]:
    return match(read_sheet(file), IDS)


def test_only_its_user_may_read_it_and_it_shows_no_label(sheet: Path) -> None:
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    heading, first, *_ = records(sheet)
    assert heading == ["sample_id", "number", "feedback_id", "text", "human_emotion"]
    assert first == [SAMPLE, "1", "'1234567890123456789", "text 1", ""]


def test_a_file_that_is_there_stays(sheet: Path) -> None:
    before = sheet.read_bytes()
    with pytest.raises(UsageError, match="expected no file"):
        write_sheet(sheet, SAMPLE, MESSAGES)
    assert sheet.read_bytes() == before


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected a folder that this user may write to at .*/nowhere"):
        write_sheet(tmp_path / "nowhere/sheet.csv", SAMPLE, MESSAGES)


@pytest.mark.parametrize(
    ("delimiter", "encoding", "line"),
    [
        (",", "utf-8", "\n"),
        (",", "utf-8-sig", "\r\n"),
        (";", "utf-8-sig", "\r\n"),
        (";", "cp1252", "\r\n"),
        ("\t", "utf-16", "\r\n"),
        (",", "utf-8", "\r"),
    ],
)
def test_what_spreadsheets_save_is_read(sheet: Path, delimiter: str, encoding: str, line: str) -> None:
    rows = fill(sheet)
    rows[1][3] = "a, text; with\t everything\nand “quotes”"
    assert recorded(save(sheet, rows, delimiter, encoding, line)) == FILLED


def as_excel_hint(rows: Records) -> Records:
    return [["sep=,"], *rows]


def sorted_by_text(rows: Records) -> Records:
    return [rows[0], *sorted(rows[1:], key=lambda row: row[3], reverse=True)]


def without_apostrophes(rows: Records) -> Records:
    """As where an apostrophe in front means text."""
    return [rows[0], *([*row[:2], row[2].removeprefix("'"), *row[3:]] for row in rows[1:])]


def with_numbers_as_decimals(rows: Records) -> Records:
    return [rows[0], *([row[0], f"{row[1]}.0", *row[2:]] for row in rows[1:])]


def with_columns_moved_and_added(rows: Records) -> Records:
    return [[*reversed(row), "note"] for row in rows]


def with_empty_rows(rows: Records) -> Records:
    return [*rows[:3], [""] * 5, *rows[3:], [], [""]]


@pytest.mark.parametrize(
    "edit",
    [
        as_excel_hint,
        sorted_by_text,
        without_apostrophes,
        with_numbers_as_decimals,
        with_columns_moved_and_added,
        with_empty_rows,
    ],
)
def test_edits_that_harm_nothing_are_taken(sheet: Path, edit: Callable[[Records], Records]) -> None:
    assert recorded(save(sheet, edit(fill(sheet)))) == FILLED


def cell(place: int, column: int, value: str) -> Callable[[Records], Records]:
    """Change a cell of a row as spreadsheets number them."""

    def edit(rows: Records) -> Records:
        rows[place - 1][column] = value
        return rows

    return edit


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (cell(2, 2, "1.23456789012346E+18"), "row 2: expected the id of message 1, found a number that a spreadsheet"),
        (cell(2, 2, "1,23E+18"), "row 2: expected the id of message 1, found a number that a spreadsheet"),
        (cell(3, 2, "7"), "row 3: expected the id of message 2, found a number that a spreadsheet"),
        (cell(4, 2, "somebody"), "row 4: expected the id of message 3, found another"),
        (cell(4, 1, "99"), "row 4: expected a number of the sample, found 99; where the message was forgotten"),
        (cell(4, 1, "three"), "row 4: expected the message's number in the column number"),
        (cell(4, 1, "2"), "row 4: expected message 2 once, found it in row 3 already"),
        (cell(4, 4, "neutral"), "row 4: expected one of sadness, joy, love, anger, fear, surprise or none"),
        (cell(4, 0, "sample-ba9876543210"), "found sample-0123456789ab in row 2 and sample-ba9876543210 in row 4"),
        (cell(4, 0, "the secret words"), "found another value in row 4"),
        (lambda rows: [rows[0], *([*row[:-1], ""] for row in rows[1:])], "found no row of 5 that is filled"),
        (lambda rows: rows[:1], "found no row"),
        (lambda rows: [row[:-1] for row in rows], "expected a CSV file with the columns"),
        (lambda _: [["PK", "a workbook"]], "expected a CSV file with the columns"),
    ],
)
def test_what_would_be_recorded_wrongly_is_refused(sheet: Path, edit: Callable[[Records], Records], told: str) -> None:
    rows = fill(sheet)
    rows[3][3] = "the secret words"
    with pytest.raises(InputError) as error:
        recorded(save(sheet, edit(rows)))
    assert told in str(error.value)
    assert "secret" not in str(error.value)


def test_a_whole_column_of_mistakes_is_told_by_its_first(tmp_path: Path) -> None:
    ids = {number: f"m{number}" for number in range(1, 31)}
    write_sheet(tmp_path / "s.csv", SAMPLE, [(number, id_, "") for number, id_ in ids.items()])
    save(tmp_path / "s.csv", fill(tmp_path / "s.csv", ["happy"] * 30))
    with pytest.raises(InputError) as error:
        match(read_sheet(tmp_path / "s.csv"), ids)
    assert "row 11:" in str(error.value)
    assert "row 12:" not in str(error.value)
    assert "and 20 more" in str(error.value)


def test_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected the sheet"):
        read_sheet(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-5", "@me hi", " =HYPERLINK(1)", "\t=1", "\r=1", "＝1", "\x00=1"])
def test_no_text_is_a_formula(text: str) -> None:
    assert text_cell(text).startswith("'")


@given(st.text())
def test_a_cell_is_never_a_formula_and_never_long(text: str) -> None:
    shown = text_cell(text)
    assert shown.lstrip()[:1] not in ("=", "+", "-", "@")
    assert len(shown) <= MOST_TEXT_CHARS + 3


def test_a_long_text_shows_its_start() -> None:
    assert text_cell("a" * 20_000) == "a" * MOST_TEXT_CHARS + " …"
    assert text_cell("line\r\nline\x1b[31m") == "line\nline [31m"


@given(st.dictionaries(st.integers(1, 99), st.text(min_size=1, max_size=20), min_size=1, max_size=5))
def test_any_id_and_text_come_back(tmp_path_factory: pytest.TempPathFactory, ids: dict[int, str]) -> None:
    file = tmp_path_factory.mktemp("sheets") / "sheet.csv"
    write_sheet(file, SAMPLE, [(number, id_, id_) for number, id_ in ids.items()])
    rows = fill(file, ["joy"] * len(ids))
    assert match(read_sheet(save(file, rows)), ids) == dict.fromkeys(ids, "joy")
