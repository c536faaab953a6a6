"""What PostgreSQL and its client refuse, in this project's words.

Of a server's message only its code counts, and what it says of names: the rest may quote values. Messages about a
connection that was never made are the client's own and hold none.
"""

import re
from typing import Final

from psycopg import Error, errors

from emotion_udf.errors import EmotionUdfError, StorageError, UsageError

_EXPECTED: Final = "expected a PostgreSQL that takes the copies"
_UNCHANGED: Final = "its readers see what they saw before"

_BUSY: Final = f"{_UNCHANGED}; run again when nobody else works on these tables"
_REFUSALS: Final = (
    (r"53100", StorageError, "a server whose disk is full", f"{_UNCHANGED}; make room there, then run again"),
    (r"53...", StorageError, "a server at its limit (memory, connections)", "raise the limit, or run again later"),
    (r"55P03", StorageError, "a lock that another held for longer than postgres.lock_timeout_s", _BUSY),
    (r"57014", StorageError, "a statement that took longer than postgres.statement_timeout_s, or was cancelled", _BUSY),
    (r"40...", StorageError, "other transactions in the way", _BUSY),
    (r"57P.*|08.*", StorageError, "a connection that the server ended", f"{_UNCHANGED}; run again"),
    (r"42501", UsageError, "no right to do so", "let the tables' owner do it, or give the right (docs/postgres.md)"),
    (r"25006", UsageError, "a server that only reads, such as a standby", "name the primary in postgres.connection"),
    (r"23...", UsageError, "a condition that this version did not make", "take it off the table"),
    (r"54...", UsageError, "an index or a column that cannot hold a value", "drop the index that was added by hand"),
    (r"42...|3F...|0A...", UsageError, "tables that this version did not make", "undo what was changed by hand"),
)
_NAMES_ONLY: Final = re.compile(r"42|3F|0A|25006|54|53")
"""Codes of errors whose message is about names and limits."""

_FOR_A_PERSON: Final = re.compile(
    r"password|does not exist|pg_hba|permi|invalid|definition of service|certificate|GSS|"
    r"SSL(?! SYSCALL| connection has been closed)"
)
"""Of a connection that was not made: trying again does not help."""


def explained(error: Error) -> EmotionUdfError:
    """Return this project's words for an error after the connection was made."""
    code = error.sqlstate
    if code is None:
        return StorageError(
            f"{_EXPECTED}, found the connection lost, or no answer for longer than postgres.statement_timeout_s; "
            f"{_UNCHANGED}, or all of the new; run again"
        )
    for pattern, kind, found, remedy in _REFUSALS:
        if re.fullmatch(pattern, code):
            return kind(f"{_EXPECTED}, found {found}{_about(error, code)}; {remedy}")
    return EmotionUdfError(f"{_EXPECTED}, found the error {code} ({type(error).__name__}); {_UNCHANGED}")


def unconnected(error: Error) -> EmotionUdfError:
    """Return this project's words for a connection that was not made."""
    if isinstance(error, errors.ProgrammingError):  # its message quotes the string, in which a password could be
        return UsageError(
            "expected libpq's connection string in postgres.connection, such as 'host=db dbname=analytics', found "
            "something else; values with blanks stand in single quotes"
        )
    said = str(error).partition("\n")[0].rpartition("connection failed: ")[2]
    needs_person = _FOR_A_PERSON.search(said) or (error.pgconn is not None and error.pgconn.needs_password)
    kind = UsageError if needs_person else StorageError
    remedy = "correct postgres.connection, or what it stands for" if needs_person else "run again when it answers"
    return kind(f"expected a connection to PostgreSQL, found none: {said}; {remedy}")


def _about(error: Error, code: str) -> str:
    """Name what the error is about, without a value."""
    if _NAMES_ONLY.match(code) and error.diag.message_primary:
        return f" ({error.diag.message_primary})"
    names = [error.diag.table_name, error.diag.column_name, error.diag.constraint_name]
    named = ", ".join(name for name in names if name)
    return f" ({named})" if named else ""
