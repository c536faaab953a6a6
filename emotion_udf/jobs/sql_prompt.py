"""The SQL prompt: statements in, tables out, and an error is one line."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from emotion_udf.errors import EmotionUdfError, InputError, UsageError
from emotion_udf.tables.readers import ReadersView

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_HELP: Final = """\
SQL of DuckDB; a statement ends with ; and may take several lines.
  .tables          the tables, with their versions
  .help            this
  .quit            the end, as is Ctrl-D
  DESCRIBE t;      the columns of a table
  COPY (SELECT …) TO 'file.csv';"""

_MOST_ROWS: Final = 1_000
_WIDEST: Final = 100_000
_NUMBERS: Final = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*)")


class Prompt:
    """Answers statements about a release.

    Args:
        view: The tables.
        console: Takes answers and errors.

    Raises:
        UsageError: DuckDB is not installed.
    """

    def __init__(self, view: ReadersView, console: Console | None = None) -> None:
        self.view = view
        # A file or another program gets whole rows.
        self.console = console or (Console() if sys.stdout.isatty() else Console(width=_WIDEST))
        self.connection = _connect(view)

    def run(self, sql: str) -> None:
        """Answer each statement of a text.

        Raises:
            UsageError: A statement failed; those after it are not run.
            InputError: A file of a table is gone.
        """
        from duckdb import Error

        try:
            for statement in self.connection.extract_statements(sql):
                self._answer(statement)
        except (Error, OSError) as error:
            if "FileNotFoundError" in str(error):
                raise InputError(
                    "expected every file of the tables, found one gone, as after a vacuum by another tool; "
                    "emotion-maintain show-releases tells which releases are whole, and rollback goes back to one"
                ) from error
            raise UsageError(_one_line(error)) from error

    def talk(self) -> None:
        """Read statements from a terminal until its end."""
        release = self.view.release
        self.console.print(
            f"Release {release.number} of {release.released_at:%Y-%m-%d %H:%M} UTC; .help helps", highlight=False
        )
        self.console.print(", ".join(self.view.tables), highlight=False)
        with _history():
            while (text := self._read()) is not None:
                try:
                    self._take(text)
                except EmotionUdfError as error:
                    self.console.print(Text(f"error: {error}"), soft_wrap=True)
                except KeyboardInterrupt:
                    self.console.print("interrupted")

    def _take(self, text: str) -> None:
        """Do what was typed."""
        command = text.strip().rstrip(";").strip()
        if command == ".tables":
            self._tell_tables()
        elif command.startswith("."):
            self.console.print(_HELP, highlight=False, markup=False)
        elif command:
            self.run(text)

    def _read(self) -> str | None:
        """Read lines up to a semicolon; None at the end."""
        lines: list[str] = []
        try:
            while True:
                line = input("   … " if lines else "sql> ")
                lines.append(line)
                if lines[0].strip() in (".quit", ".exit"):
                    return None
                if line.rstrip().endswith(";") or lines[0].lstrip().startswith(".") or not lines[0].strip():
                    return "\n".join(lines)
        except KeyboardInterrupt:
            self.console.print()
            return ""
        except EOFError:
            self.console.print()
            return None

    def _tell_tables(self) -> None:
        table = Table("table", "version", "columns")
        for name, opened in self.view.tables.items():
            columns = ", ".join(field.name for field in opened.schema().fields)
            table.add_row(name, str(opened.version()), columns)
        self.console.print(table)

    def _answer(self, statement: Any) -> None:
        """Run a statement and print its rows."""
        answer = self.connection.execute(statement)
        rows = answer.fetchmany(_MOST_ROWS + 1)
        if not rows and not statement.type.name.startswith(("SELECT", "EXPLAIN", "CALL")):
            return
        table = Table()
        for name, kind, *_ in answer.description or ():
            justify: JustifyMethod = "right" if _NUMBERS.fullmatch(str(kind)) else "left"
            table.add_column(Text(_shown(name)), justify=justify, overflow="fold")
        for row in rows[:_MOST_ROWS]:
            table.add_row(*(Text(_shown(value)) for value in row))
        self.console.print(table)
        more = "the first of more; COPY (…) TO 'file.csv' takes them all" if len(rows) > _MOST_ROWS else ""
        self.console.print(f"rows: {min(len(rows), _MOST_ROWS):,} {more}".rstrip(), highlight=False)


def _connect(view: ReadersView) -> "DuckDBPyConnection":
    """Open a database in memory that has each table as a view."""
    try:
        import duckdb
    except ImportError as error:
        raise UsageError("expected DuckDB, found none; pip install 'emotion-udf[sql]'") from error
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, table in view.tables.items():
        connection.register(name, table.to_pyarrow_dataset())
    return connection


def _shown(value: Any) -> str:
    """Return a value as a cell; what a terminal would obey is shown as its code."""
    is_short = isinstance(value, float) and abs(value) < 10**6
    text = "" if value is None else f"{value:.6g}" if is_short else str(value)
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def _one_line(error: Exception) -> str:
    """Return DuckDB's message without the lines that show where in the statement it is."""
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(("LINE ", "^"))]
    return _shown("; ".join(said) or type(error).__name__).replace("\n", " ")


@contextmanager
def _history() -> Iterator[None]:
    """Let the arrow keys bring back what was typed, today and earlier, where Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    file = state / "emotion-udf" / "sql_history"
    with suppress(OSError):
        readline.read_history_file(file)
    try:
        yield
    finally:
        with suppress(OSError):  # a home that cannot be written to has no history
            file.parent.mkdir(parents=True, exist_ok=True)
            readline.set_history_length(1_000)
            readline.write_history_file(file)
            file.chmod(0o600)
