"""conf/airflow/emotions.py: a real Airflow takes it, and runs of it by `dag.test()` with the job really running."""

import json
import os
import shutil
import signal
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.airflow import DAG, Airflow
from tests.helpers.paths import ROOT
from tests.helpers.sites import Site, days_before, make_site, private_values, write_feed
from tests.schedulers.conftest import NewAirflow

pytestmark = [pytest.mark.slow, pytest.mark.schedulers]

MIDNIGHT = {"AT": '"0 0 * * *"', "RETRY_DELAY": "timedelta(seconds=1)"}
EMPTY_SUBMIT = "raise SystemExit(0)\n"
LATE_SUBMIT = "raise SystemExit(5)\n"
LYING_SUBMIT = f"""
import subprocess, sys
print(subprocess.run([sys.executable, {str(ROOT / "jobs/score_feedback.py")!r}, *sys.argv[1:]]).returncode)
raise SystemExit(1)
"""


@pytest.fixture(scope="module")
def airflow(new_airflow: NewAirflow) -> Airflow:
    return new_airflow("airflow")


def test_airflow_takes_the_file_as_it_is(airflow: Airflow) -> None:
    folder = airflow.home / "as_it_is"
    folder.mkdir()
    shutil.copy(DAG, folder)
    places = {"AIRFLOW__CORE__DAGS_FOLDER": str(folder)}

    airflow.run("dags", "reserialize", **places)
    errors, listed = (
        json.loads(airflow.run("dags", command, "--output", "json", **places).splitlines()[-1])  # warnings come before
        for command in ("list-import-errors", "list")
    )
    assert errors == []
    assert [dag["dag_id"] for dag in listed] == ["emotions"]


@pytest.mark.parametrize(("first", "last"), [("2026-10-23", "2026-10-28"), ("2026-03-27", "2026-03-31")])
def test_each_day_has_one_run_when_the_clocks_change(airflow: Airflow, first: str, last: str, tmp_path: Path) -> None:
    airflow.write_dag(Site(tmp_path), START='"2026-01-01"', TIMEZONE='"Europe/Berlin"')
    with airflow.start_script("list_windows.py", str(airflow.home / "dags/emotions.py"), first, last) as script:
        output, _ = script.communicate(timeout=120)
    runs = json.loads(output.splitlines()[-1])

    days = days_before(date.fromisoformat(last), (date.fromisoformat(last) - date.fromisoformat(first)).days)
    assert [window for window, _ in runs] == [f"--from {day} --to {day}" for day in days]
    begun = [datetime.fromisoformat(at) for _, at in runs]
    assert {moment.astimezone(UTC).strftime("%H:%M") for moment in begun} == {"02:30", "03:30"}  # 4:30 in Berlin


@dataclass(frozen=True)
class Run:
    """A run of the DAG that has ended."""

    state: str
    tasks: dict[str, dict[str, Any]]
    output: str


@dataclass(frozen=True)
class Runs:
    """Runs for one and the same day, in this order."""

    day: date
    site: Site
    killed: Run
    refused: Run
    empty: Run
    late: Run
    lying: Run


@pytest.fixture(scope="module")
def runs(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    day = days_before(datetime.now(UTC).date(), 1)[0]
    site = make_site(tmp_path_factory.mktemp("site"), day)
    airflow.write_dag(site, START=f'"{day}"', **MIDNIGHT)
    killed = run_dag(airflow, kill_in=site)
    write_feed(site.folder / "feedback", day, bad=[day])
    refused = run_dag(airflow)
    write_feed(site.folder / "feedback", day)
    use_submit(site, EMPTY_SUBMIT)
    empty = run_dag(airflow)
    use_submit(site, LATE_SUBMIT)
    late = run_dag(airflow)
    use_submit(site, LYING_SUBMIT)
    airflow.write_dag(site, START=f'"{day}"', RETRIES="0", **MIDNIGHT)
    return Runs(day, site, killed, refused, empty, late, run_dag(airflow))


def run_dag(airflow: Airflow, kill_in: Site | None = None) -> Run:
    """Run the DAG for yesterday; with a site, its first try is killed when it scores."""
    dag = airflow.home / "dags/emotions.py"
    with airflow.start_script("run_dag.py", str(dag), datetime.now(UTC).isoformat()) as script:
        assert script.stdout is not None
        lines = []
        for line in script.stdout:
            lines.append(line)
            if kill_in and "step=canary done" in line:
                os.killpg(session_in(kill_in.folder), signal.SIGKILL)
                kill_in = None
    output = "".join(lines)
    assert script.returncode == 0, output
    return Run(**json.loads(lines[-1]), output=output)


def session_in(folder: Path) -> int:
    """Return the process that leads a session and works in a folder: the one that the task has started."""
    for process in Path("/proc").glob("[0-9]*"):
        number = int(process.name)
        if os.getsid(number) == number and (process / "cwd").resolve() == folder:
            return number
    return pytest.fail(f"expected a process that works in {folder}")


def use_submit(site: Site, script: str) -> None:
    """Put a script in the place of the job."""
    jobs = site.folder / "jobs"
    if jobs.is_symlink():
        jobs.unlink()
        shutil.copytree(ROOT / "jobs", jobs)
    (jobs / "score_feedback.py").write_text(script, encoding="utf-8")


def test_a_try_that_is_killed_is_tried_again_with_its_window(runs: Runs) -> None:
    assert runs.killed.state == "success", runs.killed.output
    assert runs.killed.tasks == {
        "label": {"state": "success", "tries": 2},
        "published": {"state": "success", "tries": 1},
    }
    assert runs.site.runs()[:2] == [("failed", runs.day, runs.day), ("published", runs.day, runs.day)]


def test_a_night_that_a_gate_refuses_fails_at_once_although_the_day_was_published_before(runs: Runs) -> None:
    assert runs.refused.state == "failed", runs.refused.output
    assert runs.refused.tasks == {
        "label": {"state": "failed", "tries": 1},
        "published": {"state": "failed", "tries": 1},
    }
    assert "exit code 4, which no retry changes" in runs.refused.output
    assert runs.site.runs()[2] == ("refused", runs.day, runs.day)


def test_a_submit_that_ends_with_0_without_publishing_is_no_success(runs: Runs) -> None:
    assert runs.empty.state == "failed", runs.empty.output
    assert runs.empty.tasks["label"]["state"] == "success"
    assert runs.empty.tasks["published"]["state"] == "failed"


def test_a_day_that_another_run_should_have_published_is_looked_for_and_no_retry_made(runs: Runs) -> None:
    assert runs.late.state == "failed", runs.late.output
    assert runs.late.tasks == {
        "label": {"state": "skipped", "tries": 1},
        "published": {"state": "failed", "tries": 1},
    }


def test_a_submit_that_ends_with_1_although_it_has_published_is_one(runs: Runs) -> None:
    assert runs.lying.state == "success", runs.lying.output
    assert runs.lying.tasks["label"]["state"] == "failed"
    assert runs.site.runs()[3:] == [("published", runs.day, runs.day)]


def test_no_text_and_no_author_is_in_airflows_output_and_logs(runs: Runs, airflow: Airflow) -> None:
    written = airflow.logs() + "".join(
        run.output for run in (runs.killed, runs.refused, runs.empty, runs.late, runs.lying)
    )

    assert "step=publish" in written
    assert [value for value in private_values() if value in written] == []
