"""What the database holds already: the one row of `releases`, and which run each date of `emotion_daily` shows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from psycopg import sql

from emotion_udf.errors import UsageError
from emotion_udf.postgres.session import Session
from emotion_udf.postgres.tables import SCHEMA_VERSION
from emotion_udf.schemas import DAILY, RELEASES
from emotion_udf.tables.warehouse import Release


@dataclass(frozen=True)
class DateShown:
    """What `emotion_daily` has of a date, by which a copy is known to be the same.

    Attributes:
        first_run: Its run; of several the first by name.
        last_run: The same run, unless somebody changed the table by hand.
        rows: Its rows.
        messages: The sum of `feedback_count`.
    """

    first_run: str | None
    last_run: str | None
    rows: int
    messages: int


def release_there(session: Session, warehouse_id: str) -> int:
    """Return the number of the release that the database holds, 0 before the first.

    Args:
        session: The transaction.
        warehouse_id: The id of the warehouse's table `releases`.

    Raises:
        UsageError: A newer version of this job made the tables, or they hold the copy of another warehouse.
    """
    query = sql.SQL("SELECT release, warehouse_id, schema_version FROM {} ORDER BY release DESC LIMIT 1")
    rows = session.ask(query.format(session.name(RELEASES)))
    if not rows:
        return 0
    ((release, other, version),) = rows
    schema = session.settings.schema_name
    if version is not None and version > SCHEMA_VERSION:
        raise UsageError(
            f"expected tables of schema version {SCHEMA_VERSION} or older in {schema}, found {version}, which a newer "
            "emotion-udf made; update this one"
        )
    if other != warehouse_id:
        raise UsageError(
            f"expected the copies of this warehouse in {schema}, found those of another one; name another "
            "postgres.schema_name, or, where this warehouse takes its place, delete the row of "
            f"{schema}.{RELEASES} and run again"
        )
    return int(release)


def write_release(session: Session, release: Release, warehouse_id: str) -> None:
    """Replace the row of `releases`."""
    session.run(sql.SQL("DELETE FROM {}").format(session.name(RELEASES)))
    statement = sql.SQL(
        "INSERT INTO {} (release, run_id, released_at, versions, schema_version, warehouse_id, copied_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)"
    )
    versions = json.dumps(dict(release.versions))
    row = [release.number, release.run_id, release.released_at, versions, SCHEMA_VERSION, warehouse_id]
    session.run(statement.format(session.name(RELEASES)), [*row, datetime.now(UTC)])


def dates_there(session: Session) -> Mapping[date, DateShown]:
    """Return what `emotion_daily` has of each date."""
    query = sql.SQL(
        'SELECT event_date, min(run_id COLLATE "C"), max(run_id COLLATE "C"), count(*), sum(feedback_count)::bigint '
        "FROM {} GROUP BY event_date"
    )
    rows = session.ask(query.format(session.name(DAILY)))
    return {day: DateShown(first, last, count, messages or 0) for day, first, last, count, messages in rows}
