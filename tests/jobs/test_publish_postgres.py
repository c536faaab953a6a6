import os
import secrets
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from emotion_udf.jobs.publish_postgres import main
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.copies import ask, require_same, run_night
from tests.helpers.jobs import Ended, run_main
from tests.helpers.paths import ROOT
from tests.helpers.postgres import Postgres

D5, D6 = date(2026, 10, 5), date(2026, 10, 6)
CONFIG = f"--config={ROOT / 'conf/postgres.toml'}"


@pytest.fixture
def database(postgres: Postgres) -> PostgresSettings:
    return PostgresSettings(connection=postgres.connection, schema_name=f"job_{secrets.token_hex(4)}")


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    made = DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))
    run_night(made, "r1", [D5])
    return made


def arguments(warehouse: DeltaWarehouse, database: PostgresSettings) -> list[str]:
    root = warehouse.root.delta_uri
    place = [f"--set=postgres.connection={database.connection}", f"--set=postgres.schema_name={database.schema_name}"]
    return [CONFIG, f"--set=warehouse.root={root}", *place]


def publish(warehouse: DeltaWarehouse, database: PostgresSettings, *more: str) -> Ended:
    return run_main(main, [*arguments(warehouse, database), *more])


def test_the_job_says_in_one_line_what_it_did(warehouse: DeltaWarehouse, database: PostgresSettings) -> None:
    said = [publish(warehouse, database)]
    said.append(publish(warehouse, database))
    run_night(warehouse, "r2", [D6])
    said.append(publish(warehouse, database))
    ask(database, "UPDATE emotion_daily SET share = 0")
    said.append(publish(warehouse, database, "--all"))

    assert [(ended.code, ended.err) for ended in said] == [(0, "")] * 4
    assert [ended.out for ended in said] == [
        "Release 1 is in PostgreSQL: 1 date replaced (12 rows), 1 run added\n",
        "Release 1 is in PostgreSQL already: nothing is changed\n",
        "Release 2 is in PostgreSQL: 1 date replaced (12 rows), 1 run added\n",
        "Release 2 is in PostgreSQL: 2 dates replaced (24 rows), 2 runs added\n",
    ]
    require_same(warehouse.root.delta_uri, database)


@pytest.mark.parametrize(
    ("override", "code", "told"),
    [
        ("postgres.connection=host=/nowhere", 1, "error: expected a connection to PostgreSQL, found none: "),
        ("postgres.connection=service=nowhere", 2, "error: expected a connection to PostgreSQL, found none: "),
        ("postgres.connection=host=db password=hunter2", 2, "postgres: expected no password in connection, found one"),
        ("warehouse.root=/nowhere", 2, "error: expected the tables of the nightly job below /nowhere, found none"),
        ("postgres.schema=x", 2, "postgres.schema: unknown setting; did you mean postgres.schema_name?"),
    ],
)
def test_what_cannot_work_ends_with_its_exit_code(
    warehouse: DeltaWarehouse, database: PostgresSettings, override: str, code: int, told: str
) -> None:
    ended = publish(warehouse, database, f"--set={override}")
    assert ended.code == code
    assert told in ended.err
    assert "hunter" not in ended.err


def test_files_that_are_gone_end_with_three(warehouse: DeltaWarehouse, database: PostgresSettings) -> None:
    for file in Path(warehouse.root.path, "emotion_daily/data").rglob("*.parquet"):
        file.unlink()
    ended = publish(warehouse, database)
    assert ended.code == 3
    assert ended.err.startswith("error: expected all files of emotion_daily in release 1, found 1 gone")


def test_without_its_package_the_job_says_what_to_install(
    warehouse: DeltaWarehouse, database: PostgresSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not the package: what is imported again in its place would stay behind as an attribute of its parent.
    monkeypatch.delitem(sys.modules, "emotion_udf.postgres.copy", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    ended = publish(warehouse, database)
    assert (ended.code, ended.out) == (2, "")
    assert "pip install 'emotion-udf[postgres]'" in ended.err


def test_it_starts_neither_spark_nor_java(
    warehouse: DeltaWarehouse, database: PostgresSettings, tmp_path: Path
) -> None:
    """As a process of its own, on a machine without Java, and whose home has no files of libpq's."""
    environment = {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "jobs/publish_postgres.py", *arguments(warehouse, database)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "Release 1 is in PostgreSQL: 1 date replaced (12 rows), 1 run added\n"
    assert os.listdir(tmp_path) == ["warehouse"]
