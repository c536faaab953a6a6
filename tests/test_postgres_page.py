"""The SQL of docs/postgres.md, run as it stands: by a superuser who sets it up, and by somebody who may only read."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from emotion_udf.postgres.copy import copy_release
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.copies import run_night
from tests.helpers.paths import ROOT
from tests.helpers.postgres import Postgres

SET_UP, *QUERIES = re.findall(
    r"^```sql\n(.*?)^```$", (ROOT / "docs/postgres.md").read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
)


def test_what_the_page_says_works(postgres: Postgres, tmp_path: Path) -> None:
    place = f"host={postgres.folder} dbname=page"
    postgres.run("CREATE DATABASE page;")
    with psycopg.connect(f"{place} user=postgres", autocommit=True) as owner:
        owner.execute(SET_UP.encode())
        owner.execute(b"CREATE ROLE reader LOGIN IN ROLE analysts")
    warehouse = DeltaWarehouse(open_folder(str(tmp_path)))
    run_night(warehouse, "r1", [date(2026, 10, 5)])
    copy_release(str(tmp_path), PostgresSettings(connection=f"{place} user=emotions"))

    with psycopg.connect(f"{place} user=reader", autocommit=True) as reader:
        snapshot, newest_run, gates = ([len(rows) for rows in answers(reader, query)] for query in QUERIES)
    assert snapshot == [1, 6]
    assert newest_run == [1]
    assert gates == [0]


def answers(reader: "psycopg.Connection[tuple[Any, ...]]", statements: str) -> list[list[tuple[Any, ...]]]:
    """Run some statements and return the rows of each that has any."""
    done = reader.execute(statements.encode())
    found = []
    while True:
        if done.description:
            found.append(done.fetchall())
        if not done.nextset():
            return found
