"""The CSV file that a person fills: written so that a spreadsheet harms nobody, and read as spreadsheets write it.

A person sees texts and no labels, which would sway. A message is known by its number in the sample, which no
spreadsheet changes; its id must fit. Ids stand behind an apostrophe, or spreadsheets would make numbers and dates of
them.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError, UsageError

COLUMNS: Final = ("sample_id", "number", "feedback_id", "text", "human_emotion")
NEEDED: Final = tuple(name for name in COLUMNS if name != "text")

NONE: Final = "none"
"""What a person writes where a message has none of the six emotions, or none that can be told."""

MOST_TEXT_CHARS: Final = 10_000
"""Of a longer text the start is shown; no spreadsheet takes a cell of more than 32,767."""

_NAMED: Final = 10
_SEPARATORS: Final = ",;\t"
# What makes a formula of a cell, also in the wide forms that East Asian spreadsheets take for the same.
_FORMULA: Final = re.compile(r"\s*[=+\-@＝＋－＠]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SAMPLE_ID: Final = re.compile(r"sample-[0-9a-f]{12}")
_UNSEEN: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_AS_NUMBER: Final = re.compile(r"[0-9.,]+(E[+-]?[0-9]+)?", re.IGNORECASE)
_MOST_FIELD_CHARS: Final = 2**20


@dataclass(frozen=True)
class SheetRow:
    """A row of a sheet as it was read.

    Attributes:
        place: Its row in a spreadsheet, where the heading is row 1.
        number: The message's number in the sample, as written.
        feedback_id: Its id, as written.
        human_emotion: What the person wrote, in lower case; empty where nothing is.
    """

    place: int
    number: str
    feedback_id: str
    human_emotion: str


@dataclass(frozen=True)
class Sheet:
    """A sheet as it was read.

    Attributes:
        sample_id: The sample that it belongs to.
        rows: Its rows.
    """

    sample_id: str
    rows: Sequence[SheetRow]


def check_place(file: Path) -> None:
    """Check that a sheet can be written to a place, where no file is: it could be one that somebody has filled.

    Raises:
        UsageError: It cannot.
    """
    if file.exists() or file.is_symlink():
        raise UsageError(f"expected no file at {file} yet, found one; name another with --out, or move it away")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise UsageError(f"expected a folder that this user may write to at {file.parent.absolute()}, found none")


def write_sheet(file: Path, sample_id: str, messages: Iterable[tuple[int, str, str]]) -> None:
    """Write a sheet that only this user may read.

    Args:
        file: Where no file is yet.
        sample_id: The sample.
        messages: A number, an id and a text of each message.

    Raises:
        UsageError: There is a file, or it cannot be written.
    """
    check_place(file)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # The mark at the beginning tells Excel that it is UTF-8.
        with open(handle, "w", encoding="utf-8-sig", errors="replace", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            for number, feedback_id, text in messages:
                writer.writerow([sample_id, number, _id_cell(feedback_id), text_cell(text), ""])
    except OSError as error:
        with suppress(OSError):
            file.unlink()  # half of the messages are no sample
        raise UsageError(f"expected to write {file}, found {type(error).__name__}; check the disk") from error


def read_sheet(file: Path) -> Sheet:
    """Read a sheet as Excel, LibreOffice or an editor has saved it.

    Raises:
        UsageError: There is no such file.
        InputError: It is no sheet of one sample.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"expected the sheet that draw has written at {file}, found none that can be read") from error
    heading, *records = _records(content, file)
    places = {name: heading.index(name) for name in NEEDED}
    rows: list[SheetRow] = []
    samples: dict[str, int] = {}
    for place, record in enumerate(records, start=2):
        cells = {name: record[at].strip() if at < len(record) else "" for name, at in places.items()}
        if any(cells.values()):
            if not _SAMPLE_ID.fullmatch(cells["sample_id"]):
                raise InputError(
                    f"expected the sample's name in the column sample_id of {file}, found another value in row "
                    f"{place}; copy it from another row"
                )
            samples.setdefault(cells["sample_id"], place)
            rows.append(SheetRow(place, cells["number"], cells["feedback_id"], cells["human_emotion"].lower()))
    if not rows:
        raise InputError(
            f"expected the messages of a sample in {file}, found no row; give the file that draw has written"
        )
    if len(samples) > 1:
        first, second = list(samples.items())[:2]
        raise InputError(
            f"expected the messages of one sample in {file}, found {first[0]} in row {first[1]} and {second[0]} in "
            f"row {second[1]}; record each sample from a file of its own"
        )
    return Sheet(next(iter(samples)), rows)


def match(sheet: Sheet, ids: Mapping[int, str]) -> dict[int, str]:
    """Compare a sheet with its sample, and return what people have written, by the messages' numbers.

    Args:
        sheet: The sheet.
        ids: The sample's ids by their numbers.

    Raises:
        InputError: A row is not of the sample, is there twice, or has another word than an emotion; or none is filled.
    """
    problems: list[str] = []
    places: dict[int, int] = {}
    filled: dict[int, str] = {}
    for row in sheet.rows:
        number = _number(row.number)
        problem = _problem(row, number, ids, places)
        if problem:
            problems.append(f"row {row.place}: {problem}")
        elif number is not None:
            places[number] = row.place
            if row.human_emotion:
                filled[number] = row.human_emotion
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems[:_NAMED])
        more = f"\n  and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise InputError(f"the sheet of {sheet.sample_id} cannot be recorded, nothing of it is:\n{listed}{more}")
    if not filled:
        raise InputError(
            f"expected one of {', '.join(EMOTIONS)} or {NONE} in the column human_emotion, found no row of "
            f"{len(sheet.rows)} that is filled"
        )
    return filled


def text_cell(text: str) -> str:
    """Return a text as a cell: no formula, no control characters, not too long."""
    shown = _CONTROL.sub(" ", text.replace("\r\n", "\n"))
    if len(shown) > MOST_TEXT_CHARS:
        shown = f"{shown[:MOST_TEXT_CHARS]} …"
    return f"'{shown}" if _FORMULA.match(shown) else shown


def _id_cell(feedback_id: str) -> str:
    """Return an id as a cell of one line, which is no number, date or formula."""
    return "'" + _UNSEEN.sub(" ", feedback_id)


def _problem(row: SheetRow, number: int | None, ids: Mapping[int, str], places: Mapping[int, int]) -> str | None:
    """Return what is wrong with a row, None where nothing is."""
    if number is None:
        return "expected the message's number in the column number, found another value"
    if number not in ids:
        return f"expected a number of the sample, found {number}; where the message was forgotten since, delete the row"
    if number in places:
        return f"expected message {number} once, found it in row {places[number]} already"
    expected = ids[number]
    cell = _id_cell(expected)
    if _UNSEEN.sub(" ", row.feedback_id) not in (cell.strip(), cell.removeprefix("'").strip()):
        if _AS_NUMBER.fullmatch(row.feedback_id):
            return (
                f"expected the id of message {number}, found a number that a spreadsheet has made of it; import "
                "feedback_id as text"
            )
        return f"expected the id of message {number}, found another; columns may have been sorted one by one"
    if row.human_emotion not in ("", NONE, *EMOTIONS):
        return (
            f"expected one of {', '.join(EMOTIONS)} or {NONE} (no emotion of these, or none that can be told) in "
            "human_emotion, found another word"
        )
    return None


def _number(cell: str) -> int | None:
    """Read a number, also as `7.0`."""
    whole = re.fullmatch(r"([0-9]{1,9})([.,]0*)?", cell)
    return int(whole[1]) if whole else None


def _records(content: bytes, file: Path) -> list[list[str]]:
    """Return the rows of a CSV file from its heading on, by whatever separator it has."""
    text = _decode(content).removeprefix("\ufeff")
    csv.field_size_limit(_MOST_FIELD_CHARS)
    for separator in _SEPARATORS:
        try:
            records = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
        except csv.Error:
            continue
        records = records[1:] if records and records[0][:1] == [f"sep={separator}"] else records
        heading = [cell.strip().lower() for cell in records[0]] if records else []
        if all(name in heading for name in NEEDED):
            return [heading, *records[1:]]
    raise InputError(
        f"expected a CSV file with the columns {', '.join(NEEDED)} at {file}, found none by any of the separators "
        "comma, semicolon and tab; save the sheet as CSV"
    )


def _decode(content: bytes) -> str:
    """Read a file as UTF-8, as UTF-16 with its mark, or as Windows-1252; a wrong guess only spoils the texts."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")
