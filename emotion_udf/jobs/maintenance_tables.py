"""The words of the maintenance job: its tables on the terminal, and the file of ids that it reads."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from emotion_udf.errors import UsageError
from emotion_udf.tables.release_list import ListedRelease


def table_of(title: str, *headings: str) -> Table:
    """Return a table without rows yet."""
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def instant(moment: datetime) -> str:
    """Return a moment in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def span(days: Sequence[str]) -> str:
    """Return dates by the first and the last of them."""
    ends = list(dict.fromkeys((days[0], days[-1]))) if days else []
    return " … ".join(ends)


def files_of(listed: ListedRelease) -> str:
    """Tell if a release can still be read."""
    if listed.missing_files is None:
        return "log gone"
    return f"{listed.missing_files:,} gone" if listed.missing_files else "all there"


def read_ids(file: Path) -> list[str]:
    """Read ids, one a line.

    Raises:
        UsageError: There is no such file, it is not UTF-8, or it is empty.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"expected a file of ids, UTF-8, one a line, at {file}, found none") from error
    ids = list(dict.fromkeys(line.removesuffix("\r") for line in lines if line.strip()))
    if not ids:
        raise UsageError(f"expected ids, one a line, in {file}, found no line")
    return ids
