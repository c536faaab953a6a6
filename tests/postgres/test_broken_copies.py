"""Copies that end in between: readers see the release before or the new one, and the next run needs no help."""

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from threading import Event, Thread, current_thread
from time import sleep
from typing import Any

import psycopg
import pytest
from psycopg import sql

from emotion_udf.errors import StorageError
from emotion_udf.postgres import copy
from emotion_udf.postgres.copy import Copied, copy_release
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.readers import open_for_readers
from tests.helpers.copies import ask, require_same, run_night
from tests.helpers.cut_connection import Way, way_to
from tests.helpers.made_up import Feedback, write_release
from tests.helpers.permissions import open_folder_for_all
from tests.helpers.postgres import Postgres
from tests.helpers.small_disks import remount, small_disks

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))


def shown(database: PostgresSettings) -> list[Any]:
    """Return all that a reader sees at one moment, but for the time of the copy."""
    with psycopg.connect(database.connection, options=f"-c search_path={database.schema_name}") as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        query = "SELECT to_jsonb({}) - 'copied_at' FROM {}"
        tables = [sql.Identifier(table) for table in ("releases", "emotion_daily", "runs")]
        return [sorted(reader.execute(sql.SQL(query).format(name, name)).fetchall(), key=str) for name in tables]


def through(way: Way, database: PostgresSettings) -> PostgresSettings:
    return database.model_copy(update={"connection": f"{database.connection} host={way.folder}"})


class TwoReleases:
    """A warehouse of two releases, what readers see of each, and the bytes that the second's copy sends and gets."""

    def __init__(self, warehouse: DeltaWarehouse, database: PostgresSettings, server: Postgres) -> None:
        self.root = warehouse.root.delta_uri
        self.database = database
        run_night(warehouse, "r1", [D5, D6])
        self.first = open_for_readers(warehouse.root)
        run_night(warehouse, "r2", [D6, D7], messages=40, dimensions=["product", "source", "country"], country="de")
        self.go_back()
        self.before = shown(database)
        with way_to(server.folder) as way:
            copy_release(self.root, through(way, database))
        self.bytes = dict(way.bytes)
        self.after = shown(database)
        require_same(self.root, database)

    def go_back(self) -> None:
        """Bring the database to the first release."""
        ask(self.database, f"DROP SCHEMA IF EXISTS {self.database.schema_name} CASCADE")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(copy, "open_for_readers", lambda _: self.first)
            copy_release(self.root, self.database)


@pytest.fixture
def releases(warehouse: DeltaWarehouse, database: PostgresSettings, postgres: Postgres) -> TwoReleases:
    return TwoReleases(warehouse, database, postgres)


def end_backend(database: PostgresSettings, _: Way) -> None:
    ask(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'emotion-postgres'")


def kill_backend(database: PostgresSettings, _: Way) -> None:
    """The server takes it for a crash: it ends all connections and recovers from its log."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'emotion-postgres'"
    for (pid,) in ask(database, query):
        os.kill(pid, signal.SIGKILL)


MOMENTS = [
    *((True, share, None) for share in (0.001, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 0.995, 1.0)),
    *((False, share, None) for share in (0.3, 0.9, 0.99, 1.0)),
    *((True, share, end_backend) for share in (0.3, 0.98)),
    (True, 0.6, kill_backend),
]
"""The direction whose bytes are counted, the share of them after which the connection is killed, and who kills it."""


@pytest.mark.slow
def test_killed_at_twenty_moments(releases: TwoReleases, postgres: Postgres) -> None:
    assert len(MOMENTS) == 20
    database = releases.database
    seen = []
    for to_server, share, kill in MOMENTS:
        releases.go_back()
        happen = None if kill is None else partial(kill, database)
        with (
            way_to(postgres.folder, max(1, int(releases.bytes[to_server] * share)), to_server, happen) as way,
            suppress(StorageError),
        ):
            copy_release(releases.root, through(way, database))
        seen.append(eventually(lambda: shown(database)))
        copy_release(releases.root, database)
        assert shown(database) == releases.after
    assert [
        moment for moment, there in zip(MOMENTS, seen, strict=True) if there not in (releases.before, releases.after)
    ] == []
    assert seen.count(releases.before) >= 14


def eventually(look: Callable[[], Any]) -> Any:
    """Look again while the server recovers."""
    for _ in range(100):
        try:
            return look()
        except psycopg.OperationalError:
            sleep(0.1)
    return look()


def test_a_server_that_is_restarted_in_between(releases: TwoReleases, postgres: Postgres) -> None:
    releases.go_back()
    lost = pytest.raises(StorageError, match=r"found a connection that the server ended|found the connection lost")
    with way_to(postgres.folder, moment=releases.bytes[True] // 2, happen=lambda _: postgres.restart()) as way, lost:
        copy_release(releases.root, through(way, releases.database))
    assert eventually(lambda: shown(releases.database)) == releases.before
    copy_release(releases.root, releases.database)
    assert shown(releases.database) == releases.after


@pytest.mark.parametrize("first", [1, 2])
def test_of_two_publishers_the_later_release_wins(
    releases: TwoReleases, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """The first stands still in the middle of its copy, until the other waits for it."""
    database = releases.database
    ask(database, f"DROP SCHEMA {database.schema_name} CASCADE")
    views = {"release 1": releases.first, "release 2": open_for_readers(releases.first.root)}
    monkeypatch.setattr(copy, "open_for_readers", lambda _: views[current_thread().name])
    waits, goes_on = Event(), Event()
    copied: dict[int, Copied] = {}

    def publish(number: int, settings: PostgresSettings) -> None:
        copied[number] = copy_release(releases.root, settings)

    def stand_still(_: Way) -> None:
        waits.set()
        goes_on.wait()

    with way_to(postgres.folder, moment=3_000, happen=stand_still) as way:
        places = {first: through(way, database), 3 - first: database}
        threads = [Thread(target=publish, args=item, name=f"release {item[0]}") for item in places.items()]
        threads[0].start()
        assert waits.wait(30)
        threads[1].start()
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not ask(database, waiting):
            sleep(0.02)
        goes_on.set()
        for thread in threads:
            thread.join(30)
    assert copied[first].there == 0
    assert copied[3 - first].there == first
    assert shown(database) == releases.after


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to mount small disks")
def test_a_disk_that_is_full(postgres: Postgres, root: str, database: PostgresSettings) -> None:
    with open_folder_for_all() as folder, small_disks() as mount:
        disk = mount(folder / "disk", "size=64m,uid=nobody,mode=700")
        name = f"small_{database.schema_name}"
        postgres.run(f"CREATE TABLESPACE {name} LOCATION '{disk}';")
        postgres.run(f"CREATE DATABASE {name} TABLESPACE {name};")
        small = database.model_copy(update={"connection": f"host={postgres.folder} user=postgres dbname={name}"})
        write_release(Path(root), Feedback(dimensions={"product": list("abcdefghij")}, days=90, terms=None))
        copy_release(root, small)
        before = shown(small)
        ask(small, "CHECKPOINT")
        try:
            remount(disk, f"size={shutil.disk_usage(disk).used + 200_000}")
            with pytest.raises(
                StorageError, match=r"found a server whose disk is full \(could not (extend|write).*room"
            ):
                copy_release(root, small, anew=True)
            assert shown(small) == before
            remount(disk, "size=64m")
            assert copy_release(root, small, anew=True).days == 90
            assert shown(small) == before
        finally:
            remount(disk, "size=64m")
            postgres.run(f"DROP DATABASE {name} WITH (FORCE);")
            postgres.run(f"DROP TABLESPACE {name};")
