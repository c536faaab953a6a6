"""A server that is killed while a night is published, and started again on what it has stored: nothing is lost."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from emotion_udf.nightly import pipeline
from emotion_udf.refusals import refusal_of
from emotion_udf.schemas import RUNS
from emotion_udf.storage import open_folder
from emotion_udf.tables import claims, publish, releases, staging
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.faults import scenes
from tests.helpers.nights import publish_night, same_in_all, shown_rows
from tests.helpers.s3 import S3Server

pytestmark = pytest.mark.slow

D5, D6, D7 = (date(2026, 10, day) for day in (5, 6, 7))
BEFORE = [(D5, "r1"), (D6, "r1")]
AFTER = [(D5, "r1"), (D6, "r2"), (D7, "r2")]
MOMENTS = 8


@pytest.fixture
def alive(server: S3Server) -> Iterator[S3Server]:
    """The server, which runs again after the test, however that ends."""
    yield server
    if server.process is None or server.process.poll() is not None:
        server.start()


def kill_at_commit(patch: pytest.MonkeyPatch, server: S3Server, number: int, after: bool) -> None:
    """Kill the server just before or after the n-th commit of a night, that of the release included."""
    commits: dict[str, Callable[..., None]] = {
        "commit_claim": claims.commit_claim,
        "move_pointer": releases.move_pointer,
    }
    counted = iter(range(1_000))

    def killing(name: str) -> Callable[..., None]:
        def commit(*arguments: Any) -> None:
            is_it = next(counted) == number
            if is_it and not after:
                server.kill()
            commits[name](*arguments)
            if is_it and after:
                server.kill()

        return commit

    patch.setattr(publish, "commit_claim", killing("commit_claim"))
    patch.setattr(publish, "move_pointer", killing("move_pointer"))


def publish_on_a_server_that_dies(warehouse: DeltaWarehouse) -> None:
    """Publish `r2`, or fail with an error that a job has words for."""
    try:
        publish_night(warehouse, "r2", [D6, D7])
    except Exception as error:
        if refusal_of(error) is None:
            raise


def start_again(server: S3Server, root: str) -> None:
    """Start the server, and check that readers see one night or the other, and that the next start finishes it."""
    server.start()
    warehouse = DeltaWarehouse(open_folder(f"{root}/w", timeout_s=5))
    seen = shown_rows(warehouse)
    assert seen in (same_in_all(BEFORE), same_in_all(AFTER))
    warehouse.repair()
    repaired = shown_rows(warehouse)
    assert repaired in (seen, same_in_all(AFTER))
    publish_night(warehouse, "r3", [D7 + timedelta(days=1)])
    assert shown_rows(warehouse) == {name: [*rows, (D7 + timedelta(days=1), "r3")] for name, rows in repaired.items()}


@pytest.mark.parametrize(("number", "after"), [(0, False), (0, True), (2, False), (2, True), (4, False), (4, True)])
def test_killed_at_a_commit(
    alive: S3Server, warehouse: DeltaWarehouse, root: str, monkeypatch: pytest.MonkeyPatch, number: int, after: bool
) -> None:
    publish_night(warehouse, "r1", [D5, D6])
    with monkeypatch.context() as patch:
        kill_at_commit(patch, alive, number, after)
        publish_on_a_server_that_dies(warehouse)
    start_again(alive, root)
    decided = number > 0 or after
    rows = shown_rows(warehouse)
    assert {row for row in rows["emotion_labels"] if row[1] == "r2"} == ({(D6, "r2"), (D7, "r2")} if decided else set())


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_at_any_moment(alive: S3Server, warehouse: DeltaWarehouse, root: str, moment: int) -> None:
    started = time.monotonic()
    publish_night(warehouse, "r1", [D5, D6])
    pause = (time.monotonic() - started) * (moment + 0.5) / MOMENTS
    killer = threading.Timer(pause, alive.kill)
    killer.start()
    publish_on_a_server_that_dies(warehouse)
    killer.join()
    start_again(alive, root)


def test_a_whole_night_ends_with_a_message_and_the_next_one_puts_it_right(
    alive: S3Server, root: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "_prepare", scenes.write_files)
    scenes.two_nights(root)
    with monkeypatch.context() as patch:
        kill_at_commit(patch, alive, 1, after=False)
        patch.setattr(staging, "_process_start", lambda _: "of a driver that is gone by the next night")
        assert scenes.night(root, "2", "3") == 1
    assert f"no answer at {root.replace('s3a', 's3')}/w/" in capsys.readouterr().err
    alive.start()
    assert set(scenes.seen(root)) == {str(scenes.day(number)) for number in range(3)}
    assert scenes.night(root, "4", "4") == 0
    assert set(scenes.seen(root)) == {str(scenes.day(number)) for number in range(5)}
    runs = scenes.warehouse_of(root).at(RUNS).to_pyarrow_table()["outcome"].to_pylist()
    assert runs == ["published"] * 4
