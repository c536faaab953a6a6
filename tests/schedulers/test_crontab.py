"""conf/crontab: its line, run as cron runs it, and by cron itself where the machine has one."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.paths import ROOT
from tests.helpers.sites import Site, days_before, make_site

pytestmark = [pytest.mark.slow, pytest.mark.schedulers]

OF_CRON = {"HOME": "/", "LOGNAME": "root", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
"""All that Debian's cron gives a job."""

OF_TESTS = {"PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1"}
"""The job of this checkout, whatever .venv has installed; and an address that Spark finds on any machine."""

TODAY = datetime.now(UTC).date()
CROND = shutil.which("cron", path="/usr/sbin")


@dataclass(frozen=True)
class Crontab:
    """A crontab with one job."""

    variables: dict[str, str]
    times: str
    command: str


def read_crontab(text: str) -> Crontab:
    """Read a crontab by the rules of crontab(5)."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    (job,) = (line for line in lines if not re.match(r"\w+=", line))
    found = re.fullmatch(r"((?:\S+ +){5}) *(.+)", job)
    assert found
    assert "%" not in job, "cron ends a command there"
    return Crontab(variables, found[1].strip(), found[2])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = make_site(tmp_path_factory.mktemp("site"), TODAY - timedelta(days=1))
    yield site
    site.end_work()


@pytest.fixture(scope="module")
def crontab(site: Site) -> Crontab:
    return read_crontab(site.adapt(ROOT / "conf/crontab"))


def run(crontab: Crontab, without: str = "") -> "subprocess.CompletedProcess[str]":
    """Run the job as cron does."""
    variables = {name: value for name, value in crontab.variables.items() if name != without}
    return subprocess.run(
        ["/bin/sh", "-c", crontab.command],
        env=OF_CRON | OF_TESTS | variables,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=1_800,
    )


def published(site: Site, count: int) -> list[date]:
    """Return those of the last days that the release shows."""
    return DeltaWarehouse(open_folder(str(site.warehouse))).published_dates(days_before(TODAY, count))


def test_the_job_runs_once_a_night(crontab: Crontab) -> None:
    minute, hour, *rest = crontab.times.split()

    assert minute.isdecimal()
    assert hour.isdecimal()
    assert rest == ["*", "*", "*"]


def test_without_the_locale_spark_submit_would_find_no_such_path(crontab: Crontab, site: Site) -> None:
    """emotion-score begins in Python, which gives Java a locale where there is none; spark-submit begins in Java."""
    submit = crontab.command.replace(".venv/bin/emotion-score", "spark-submit jobs/score_feedback.py")
    path = {"PATH": f"{site.folder}/.venv/bin:{OF_CRON['PATH']}"}
    ended = run(Crontab(crontab.variables | path, crontab.times, submit), without="LC_ALL")

    assert submit != crontab.command
    assert ended.returncode == 1, ended.stderr
    assert "Could not find or load main class" in ended.stderr
    assert published(site, 1) == []


def test_the_line_labels_the_days_that_are_not_published_yet(crontab: Crontab, site: Site) -> None:
    ended = run(crontab)

    assert ended.returncode == 0, ended.stderr
    assert published(site, 5) == days_before(TODAY, 3)


def test_the_next_start_labels_no_day_again(crontab: Crontab, site: Site) -> None:
    before = site.runs()
    ended = run(crontab)

    assert ended.returncode == 0, ended.stderr
    assert site.runs() == before


def test_no_second_job_starts_while_one_is_at_work(crontab: Crontab, site: Site) -> None:
    with subprocess.Popen(["flock", site.folder / "conf/nightly.toml", "cat"], stdin=subprocess.PIPE) as holder:
        wait_for_lock(site.folder / "conf/nightly.toml")
        ended = run(crontab)
        assert holder.stdin is not None
        holder.stdin.close()

    assert ended.returncode == 1
    assert "failed to get lock" in ended.stderr


def wait_for_lock(file: Path) -> None:
    """Wait until somebody has locked a file."""
    for _ in range(100):
        if subprocess.run(["flock", "--nonblock", file, "true"], check=False).returncode:
            return
        time.sleep(0.1)
    pytest.fail(f"expected a lock on {file}, found none")


@pytest.mark.skipif(CROND is None or os.geteuid() != 0, reason="needs cron and root; apt-get install cron")
def test_cron_itself_starts_the_job(tmp_path: Path) -> None:
    """A cron that sees this crontab alone, with its hour changed to every minute."""
    site = make_site(tmp_path, TODAY - timedelta(days=1))
    text = site.adapt(ROOT / "conf/crontab").replace("30 4 * * *", "* * * * *")
    variables = "".join(f"{name}={value}\n" for name, value in OF_TESTS.items())
    (tmp_path / "root").write_text(variables + text, encoding="utf-8")
    (tmp_path / "root").chmod(0o600)
    spool = "/var/spool/cron/crontabs"
    script = f"""
        mount -t tmpfs none {spool} && cp {tmp_path}/root {spool} && mount -t tmpfs none /etc/cron.d
        mount --bind /dev/null /etc/crontab && mount -t tmpfs none /run && exec {CROND} -f
    """
    with subprocess.Popen(["unshare", "--mount", "sh", "-ec", script], start_new_session=True) as cron:
        try:
            deadline = time.monotonic() + 1_800
            while len(published(site, 3)) < 3:
                assert cron.poll() is None
                assert time.monotonic() < deadline, "expected three days within half an hour"
                time.sleep(2)
        finally:
            cron.send_signal(signal.SIGTERM)
            site.end_work()
