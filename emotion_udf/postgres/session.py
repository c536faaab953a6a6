"""One transaction in PostgreSQL: made with time limits, and ended by them also where the server says nothing."""

import os
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from emotion_udf.errors import UsageError
from emotion_udf.postgres.refused import explained, unconnected
from emotion_udf.settings.postgres import PostgresSettings

_LOCK: Final = 0x656D6F  # "emo", the first half of the lock's name; the other is the schema's
_GRACE_S: Final = 10
"""How much longer than its own limit a server may be silent before the connection is cut."""

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Session:
    """An open transaction.

    Attributes:
        connection: The connection.
        settings: The database.
    """

    connection: "psycopg.Connection[Row]"
    settings: PostgresSettings

    def run(self, statement: sql.SQL | sql.Composed, values: Sequence[Any] = ()) -> int:
        """Run a statement and return the number of rows that it touched."""
        with self.limited():
            return self.connection.execute(statement, values or None).rowcount

    def run_each(self, statement: sql.SQL | sql.Composed, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement with each of some rows of values, and return how many there were."""
        with self.limited(), self.connection.cursor() as cursor:
            cursor.executemany(statement, rows)
            return max(cursor.rowcount, 0)

    def ask(self, statement: sql.SQL | sql.Composed, values: Sequence[Any] = ()) -> list[Row]:
        """Run a query and return its rows."""
        with self.limited():
            return self.connection.execute(statement, values or None).fetchall()

    def name(self, table: str) -> sql.Identifier:
        """Return a table's name with its schema's."""
        return sql.Identifier(self.settings.schema_name, table)

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Cut the connection where the server does not end a statement in its time: it may be frozen, or gone."""
        timer = threading.Timer(self.settings.statement_timeout_s + _GRACE_S, _cut, [self.connection.pgconn.socket])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextmanager
def open_transaction(settings: PostgresSettings) -> Iterator[Session]:
    """Connect, wait for the turn of this publisher, and commit at the end.

    Raises:
        UsageError: The server refuses the user, or what was done; a person has to see to it.
        StorageError: The server does not answer, is at a limit, or ended the connection. Nothing was changed, unless
            the connection was lost at the very end.
    """
    try:
        connection = psycopg.connect(
            settings.connection, **_defaults(settings), client_encoding="UTF8", prepare_threshold=None
        )
    except psycopg.Error as error:
        raise unconnected(error) from error
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED  # so that what is read after the wait is new
    session = Session(connection, settings)
    try:
        try:
            _begin(session)
            yield session
            with session.limited():
                connection.commit()
        except psycopg.Error as error:
            raise explained(error) from error
    finally:
        with suppress(psycopg.Error):
            connection.close()


def _begin(session: Session) -> None:
    """Set the limits of the transaction, and wait for other publishers to this schema."""
    settings = session.settings
    encoding = session.connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise UsageError(f"expected a database with the encoding UTF8, found {encoding}; copy to another database")
    limits = {
        # Names are looked up in the system's own schema only: what others put into public is not called by mistake.
        "search_path": "pg_catalog",
        "statement_timeout": f"{settings.statement_timeout_s}s",
        "lock_timeout": f"{settings.lock_timeout_s}s",
        # Files of the release are read in between.
        "idle_in_transaction_session_timeout": "0",
    }
    for name, value in limits.items():
        session.ask(sql.SQL("SELECT set_config(%s, %s, true)"), [name, value])
    session.ask(sql.SQL("SELECT pg_advisory_xact_lock(%s, hashtext(%s))"), [_LOCK, settings.schema_name])


def _defaults(settings: PostgresSettings) -> dict[str, Any]:
    """Return the parameters that the connection string leaves open; those that find out that the server is gone."""
    defaults = {
        "connect_timeout": settings.connect_timeout_s,
        "application_name": "emotion-postgres",
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,  # milliseconds
    }
    given = conninfo_to_dict(settings.connection)
    return {name: value for name, value in defaults.items() if name not in given}


def _cut(handle: int) -> None:
    """End a connection from this side, so that who waits for an answer gets an error."""
    with suppress(OSError), socket.socket(fileno=os.dup(handle)) as ours:
        ours.shutdown(socket.SHUT_RDWR)
