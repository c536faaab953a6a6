"""The DAG under Airflow's own scheduler: days that were missed, and a backfill of five of which a gate refuses one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest

from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.airflow import Airflow
from tests.helpers.sites import Site, days_before, make_site, private_values
from tests.schedulers.conftest import NewAirflow

pytestmark = [pytest.mark.slow, pytest.mark.schedulers]

MISSED = 3
SECONDS = 3_600


@dataclass(frozen=True)
class Nights:
    """What a scheduler has done.

    Attributes:
        missed: Days before the scheduler began, from the DAG's first one on.
        backfilled: Five days before these.
        refused: The one of them that has bad rows.
        runs: The runs of the DAG by their day, each with the states of its tasks.
    """

    airflow: Airflow
    site: Site
    missed: list[date]
    backfilled: list[date]
    refused: date
    runs: dict[date, dict[str, Any]]


DAYS = days_before(datetime.now(UTC).date(), 10)
BACKFILLED, REFUSED, LATER = DAYS[:5], DAYS[2], DAYS[-MISSED:]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = make_site(tmp_path_factory.mktemp("site"), DAYS[-1], bad=[REFUSED])
    yield site
    site.end_work()


@pytest.fixture(scope="module")
def nights(new_airflow: NewAirflow, site: Site) -> Nights:
    airflow = new_airflow("scheduler")
    airflow.write_dag(site, START=f'"{LATER[0]}"', AT='"0 0 * * *"')
    airflow.run("dags", "reserialize")
    airflow.run("dags", "unpause", "--yes", "emotions")
    window = [f"--from-date={BACKFILLED[0]}", f"--to-date={BACKFILLED[-1]}"]
    # Before the scheduler begins: its SQLite lets one write at a time.
    airflow.run("backfill", "create", "--dag-id=emotions", "--max-active-runs=1", *window)
    return nights_of(airflow, site)


def nights_of(airflow: Airflow, site: Site) -> Nights:
    """Let a scheduler do all that is due."""
    ended = [True] * (len(BACKFILLED) + MISSED)
    with airflow.running() as server:
        server.wait_until(lambda: [run["state"] in ("success", "failed") for run in server.runs()] == ended, SECONDS)
        runs = {
            date.fromisoformat(run["data_interval_start"][:10]): run | {"tasks": server.tasks(run)}
            for run in server.runs()
        }
    return Nights(airflow, site, LATER, BACKFILLED, REFUSED, runs)


def test_the_scheduler_catches_up_with_the_days_that_were_missed_in_their_order(nights: Nights) -> None:
    caught_up = {day: run for day, run in nights.runs.items() if run["run_type"] == "scheduled"}

    assert [(day, run["state"]) for day, run in caught_up.items()] == [(day, "success") for day in nights.missed]
    begun = [run["start_date"] for run in caught_up.values()]
    assert begun == sorted(begun)


def test_of_a_backfill_four_days_are_published_and_the_one_that_a_gate_refuses_fails(nights: Nights) -> None:
    filled = {day: run for day, run in nights.runs.items() if run["run_type"] == "backfill"}

    assert {day: run["state"] for day, run in filled.items()} == {
        day: "failed" if day == nights.refused else "success" for day in nights.backfilled
    }
    assert filled[nights.refused]["tasks"] == {"label": "failed", "published": "failed"}


def test_the_release_shows_the_days_whose_runs_have_succeeded(nights: Nights) -> None:
    days = [*nights.backfilled, *nights.missed]
    shown = DeltaWarehouse(open_folder(str(nights.site.warehouse))).published_dates(days)

    assert shown == [day for day in days if day != nights.refused]


def test_each_day_is_labelled_once_and_for_itself(nights: Nights) -> None:
    """One task at a time: the runs of the backfill and the scheduled ones never overlap."""
    days = [*nights.backfilled, *nights.missed]
    outcomes = {day: "refused" if day == nights.refused else "published" for day in days}

    assert sorted(nights.site.runs(), key=lambda run: run[1]) == [(outcomes[day], day, day) for day in days]


def test_no_text_and_no_author_is_in_airflows_logs(nights: Nights) -> None:
    written = nights.airflow.logs()

    assert "step=publish" in written
    assert [value for value in private_values() if value in written] == []
