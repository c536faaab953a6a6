"""Servers that are down, shut, slow, frozen or at a limit: each is one message, and none is waited for without end."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import psycopg
import pytest

from emotion_udf.errors import StorageError, UsageError
from emotion_udf.postgres import session
from emotion_udf.postgres.copy import copy_release
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.copies import ask, require_same, run_night
from tests.helpers.cut_connection import Way, way_to
from tests.helpers.permissions import open_folder_for_all
from tests.helpers.postgres import Postgres, find_postgres, running_postgres

D5, D6 = date(2026, 10, 5), date(2026, 10, 6)


@pytest.fixture
def root(root: str, warehouse: DeltaWarehouse) -> str:
    run_night(warehouse, "r1", [D5])
    return root


def at(database: PostgresSettings, connection: str, **other: int) -> PostgresSettings:
    return database.model_copy(update={"connection": connection, **other})


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize("place", ["host=127.0.0.1 port={port}", "host=/nowhere", "postgresql://localhost:{port}/x"])
def test_a_server_that_is_down(root: str, place: str) -> None:
    down = PostgresSettings(connection=place.format(port=free_port()))
    with pytest.raises(StorageError, match=r"expected a connection to PostgreSQL, found none: .*; run again when it"):
        copy_release(root, down)


@pytest.mark.slow
def test_a_server_that_accepts_and_says_nothing(root: str) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        place = f"host=127.0.0.1 port={mute.getsockname()[1]}"
        with pytest.raises(StorageError, match=r"timeout expired; run again when it answers"):
            copy_release(root, PostgresSettings(connection=place, connect_timeout_s=2))


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("host={folder} user=nobody_of_that_name dbname=postgres", 'role "nobody_of_that_name" does not exist'),
        ("host={folder} user=postgres dbname=no_such_database", 'database "no_such_database" does not exist'),
        ("host={folder} user=postgres sslmode=sometimes", 'invalid sslmode value: "sometimes"'),
        ("service=no_such_service", 'definition of service "no_such_service" not found'),
    ],
)
def test_what_a_person_has_to_correct(root: str, postgres: Postgres, place: str, told: str) -> None:
    with pytest.raises(UsageError, match=f"{told}; correct postgres.connection"):
        copy_release(root, PostgresSettings(connection=place.format(folder=postgres.folder)))


@pytest.mark.parametrize("connection", ["hunter22 host=db", "host=db colour=red", "postgresql://[db"])
def test_what_is_no_connection_string_is_not_shown(root: str, connection: str) -> None:
    with pytest.raises(UsageError, match=r"expected libpq's connection string in postgres\.connection") as refused:
        copy_release(root, PostgresSettings(connection=connection))
    assert "hunter" not in str(refused.value)


def test_passwords_come_from_where_libpq_looks(
    root: str, postgres: Postgres, database: PostgresSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = f"asked_{database.schema_name}"
    postgres.run(
        "DO $$ BEGIN IF to_regrole('asked') IS NULL THEN CREATE ROLE asked; END IF; END $$;"
        f"CREATE ROLE {name} LOGIN PASSWORD 'open sesame' IN ROLE asked; GRANT CREATE ON DATABASE postgres TO {name};"
    )
    asked = at(database, f"host={postgres.folder} user={name} dbname=postgres")
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    with pytest.raises(UsageError, match=r"no password supplied; correct"):
        copy_release(root, asked)
    monkeypatch.setenv("PGPASSWORD", "open barley")
    with pytest.raises(UsageError, match=f'password authentication failed for user "{name}"') as refused:
        copy_release(root, asked)
    assert "barley" not in str(refused.value)

    (tmp_path / "pgpass").write_text(f"*:*:*:{name}:open sesame\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.delenv("PGPASSWORD")
    assert copy_release(root, asked).days == 1
    (tmp_path / "services").write_text(
        f"[ours]\nhost={postgres.folder}\nuser={name}\ndbname=postgres\npassword=open sesame\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.delenv("PGPASSFILE")
    assert copy_release(root, at(database, "service=ours")).days is None


@pytest.mark.parametrize("locked", ["SELECT pg_advisory_xact_lock({lock}, hashtext('{schema}'))", "LOCK emotion_daily"])
def test_a_lock_is_waited_for_so_long(
    root: str, warehouse: DeltaWarehouse, database: PostgresSettings, locked: str
) -> None:
    copy_release(root, database)
    run_night(warehouse, "r2", [D6])
    statement = locked.format(lock=session._LOCK, schema=database.schema_name)
    with closing(psycopg.connect(database.connection, options=f"-c search_path={database.schema_name}")) as other:
        other.execute(statement.encode())
        with pytest.raises(StorageError, match=r"held for longer than postgres\.lock_timeout_s; its readers see what"):
            copy_release(root, at(database, database.connection, lock_timeout_s=1))
        other.rollback()
    copy_release(root, database)
    require_same(root, database)


def test_a_statement_may_take_so_long(root: str, warehouse: DeltaWarehouse, database: PostgresSettings) -> None:
    copy_release(root, database)
    ask(
        database,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NEW; END';"
        "CREATE TRIGGER slow BEFORE INSERT ON emotion_daily FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    )
    run_night(warehouse, "r2", [D6])
    with pytest.raises(StorageError, match=r"longer than postgres\.statement_timeout_s, or was cancelled; its readers"):
        copy_release(root, at(database, database.connection, statement_timeout_s=1))


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_server_that_freezes_is_left(
    root: str,
    warehouse: DeltaWarehouse,
    database: PostgresSettings,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
) -> None:
    """The way stands still, with both ends open: no time limit of the server's can end that."""
    with way_to(postgres.folder) as way:
        copy_release(root, at(database, f"{database.connection} host={way.folder}"))
        total = way.bytes[True]
    run_night(warehouse, "r2", [D6])
    monkeypatch.setattr(session, "_GRACE_S", 0.5)
    with way_to(postgres.folder, moment=int(total * share), happen=Way.freeze) as way:
        frozen = at(database, f"{database.connection} host={way.folder}", statement_timeout_s=3)
        with pytest.raises(StorageError, match=r"found the connection lost, or no answer for longer than"):
            copy_release(root, frozen)
    copy_release(root, database)
    require_same(root, database)


def test_a_server_that_only_reads(root: str, database: PostgresSettings) -> None:
    reading = at(database, f"{database.connection} options='-c default_transaction_read_only=on'")
    with pytest.raises(UsageError, match=r"found a server that only reads, such as a standby .*; name the primary"):
        copy_release(root, reading)


def test_a_database_of_another_encoding(root: str, database: PostgresSettings, postgres: Postgres) -> None:
    name = f"latin_{database.schema_name}"
    postgres.run(f"CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;")
    with pytest.raises(UsageError, match=r"expected a database with the encoding UTF8, found LATIN1"):
        copy_release(root, at(database, f"host={postgres.folder} user=postgres dbname={name}"))


def test_a_server_without_a_free_connection(root: str, database: PostgresSettings, postgres: Postgres) -> None:
    name = f"few_{database.schema_name}"
    postgres.run(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT 0;")
    with pytest.raises(StorageError, match=r"too many connections for role .*; run again when it answers"):
        copy_release(root, at(database, f"host={postgres.folder} user={name} dbname=postgres"))


@pytest.fixture
def certified() -> Iterator[tuple[Postgres, Path, int]]:
    """A server that listens on a port, with a certificate for localhost; the certificate, and the port."""
    programs = find_postgres()
    if programs is None or shutil.which("openssl") is None:
        pytest.skip("needs PostgreSQL and openssl")
    with open_folder_for_all() as folder:
        made: list[str | Path] = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ]
        made += ["-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key", "-out", folder / "certificate"]
        subprocess.run(made, check=True, capture_output=True)
        (folder / "key").chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(folder / "key", "nobody")
        port = free_port()
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on"
        files = f"-c ssl_cert_file={folder}/certificate -c ssl_key_file={folder}/key"
        with running_postgres(programs, f"{options} {files}") as server:
            yield server, folder / "certificate", port


@pytest.mark.slow
def test_sslmode_is_libpqs(root: str, certified: tuple[Postgres, Path, int], tmp_path: Path) -> None:
    _, certificate, port = certified
    place = f"port={port} user=postgres dbname=postgres sslmode=verify-full"
    verified = PostgresSettings(connection=f"host=localhost hostaddr=127.0.0.1 {place} sslrootcert={certificate}")
    copy_release(root, verified)
    ((encrypted,),) = ask(verified, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert encrypted

    for connection in (
        f"host=elsewhere hostaddr=127.0.0.1 {place} sslrootcert={certificate}",
        f"host=localhost hostaddr=127.0.0.1 {place} sslrootcert={tmp_path}/missing",
    ):
        with pytest.raises(UsageError, match=r"certificate .*; correct postgres\.connection"):
            copy_release(root, PostgresSettings(connection=connection))
