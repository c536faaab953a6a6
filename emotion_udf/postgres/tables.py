"""The tables of the copies: made where they are missing, given the columns that they lack, never dropped or remade.

So rights that were granted on them, views over them and indexes that others added stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import sql
from pyspark.sql.types import StructType

from emotion_udf.errors import UsageError
from emotion_udf.postgres.session import Session
from emotion_udf.schemas import DAILY, RELEASES, RUNS, daily_schema, releases_schema, runs_schema

SCHEMA_VERSION: Final = 1
"""One more with each change of the tables that an earlier version of this job could not write to."""

Kinds = Mapping[str, str]
"""PostgreSQL's types by column, as its `format_type` names them."""

_KINDS: Final[Kinds] = {
    "array<string>": "text[]",
    "bigint": "bigint",
    "date": "date",
    "double": "double precision",
    "int": "integer",
    "string": "text",
    "timestamp": "timestamp with time zone",
}
"""By Spark's types; what has parts is `jsonb`."""

_OF_COPY: Final = {"schema_version": "integer", "warehouse_id": "text", "copied_at": "timestamp with time zone"}
"""What `releases` has here beyond the row of the warehouse."""

_INDEXES: Final = {
    DAILY: [sql.SQL("CREATE INDEX ON {} (event_date)")],
    RUNS: [sql.SQL("CREATE UNIQUE INDEX ON {} (run_id)"), sql.SQL("CREATE INDEX ON {} (started_at)")],
}
_LONGEST_NAME: Final = 63
"""Bytes of a column's name; PostgreSQL cuts what is longer."""

_SYSTEM_COLUMNS: Final = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})


@dataclass(frozen=True)
class Missing:
    """What the tables lack.

    Attributes:
        statements: What adds it.
        tables: The tables that are missing, or lack a column: what they hold is not what the release has.
    """

    statements: Sequence[sql.Composed]
    tables: frozenset[str]


def wanted_columns(dimensions: Sequence[str]) -> Mapping[str, Kinds]:
    """Return the columns of each table.

    Args:
        dimensions: Those of `emotion_daily`.

    Raises:
        UsageError: A dimension has a name that no column of PostgreSQL's can have.
    """
    _check_names(dimensions)
    schemas = {DAILY: daily_schema(dimensions), RUNS: runs_schema(), RELEASES: releases_schema()}
    own = {RELEASES: _OF_COPY}
    return {table: _kinds(schema) | own.get(table, {}) for table, schema in schemas.items()}


def columns_there(session: Session) -> dict[str, dict[str, str]]:
    """Return the columns of those of the tables that there are.

    Raises:
        UsageError: Something else than a table has the name of one.
    """
    rows = session.ask(
        sql.SQL(
            "SELECT c.relname, c.relkind IN ('r', 'p'), a.attname, format_type(a.atttypid, a.atttypmod) "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "WHERE n.nspname = %s AND c.relname = ANY(%s)"
        ),
        [session.settings.schema_name, [DAILY, RUNS, RELEASES]],
    )
    found: dict[str, dict[str, str]] = {}
    for table, is_table, column, kind in rows:
        if not is_table:
            raise UsageError(
                f"expected a table {session.settings.schema_name}.{table}, or none, found something else of that name; "
                "name another postgres.schema_name"
            )
        columns = found.setdefault(table, {})
        if column is not None:
            columns[column] = kind
    return found


def find_missing(session: Session, wanted: Mapping[str, Kinds], there: Mapping[str, Kinds]) -> Missing:
    """Compare the tables with what this version writes. A column too many is left alone, and gets nulls.

    Args:
        session: The transaction.
        wanted: Of `wanted_columns`.
        there: Of `columns_there`.

    Raises:
        UsageError: A column is there with another type.
    """
    statements: list[sql.Composed] = []
    tables = set()
    if not session.ask(sql.SQL("SELECT 1 FROM pg_namespace WHERE nspname = %s"), [session.settings.schema_name]):
        statements.append(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(session.settings.schema_name)))
    for table, columns in wanted.items():
        name = session.name(table)
        present = there.get(table)
        lacking = {column: kind for column, kind in columns.items() if column not in (present or ())}
        if present is None:
            statements.append(sql.SQL("CREATE TABLE {} ({})").format(name, defined(columns)))
            statements += [index.format(name) for index in _INDEXES.get(table, ())]
        else:
            _check_kinds(table, columns, present)
            add = sql.SQL("ALTER TABLE {} ADD COLUMN {}")
            statements += [add.format(name, defined({column: kind})) for column, kind in lacking.items()]
        if lacking:
            tables.add(table)
    return Missing(statements, frozenset(tables))


def defined(columns: Kinds) -> sql.Composed:
    """Return columns as a statement that makes a table defines them."""
    parts = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()]
    return sql.SQL(", ").join(parts)


def _kinds(schema: StructType) -> dict[str, str]:
    return {field.name: _KINDS.get(field.dataType.simpleString(), "jsonb") for field in schema}


def _check_kinds(table: str, wanted: Kinds, present: Kinds) -> None:
    for column, kind in wanted.items():
        if column in present and present[column] != kind:
            raise UsageError(
                f"expected {table}.{column} of the type {kind} in PostgreSQL, found {present[column]}; change it back "
                f"(ALTER TABLE … ALTER COLUMN {column} TYPE {kind}), or rename it, and a new one is made"
            )


def _check_names(dimensions: Sequence[str]) -> None:
    for name in dimensions:
        if len(name.encode()) > _LONGEST_NAME or name in _SYSTEM_COLUMNS:
            raise UsageError(
                f"expected dimensions with names that PostgreSQL has, of at most {_LONGEST_NAME} bytes and none of "
                f"{', '.join(sorted(_SYSTEM_COLUMNS))}, found {name}; give it another name in input.dimensions"
            )
