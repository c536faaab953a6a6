"""conf/systemd under a systemd of the test's own, with the job really running."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.sites import Site, days_before, make_site, private_values, write_feed
from tests.helpers.systemd import Systemd, running_systemd

pytestmark = [pytest.mark.slow, pytest.mark.schedulers]

SERVICE = "emotion-udf.service"
TIMER = "emotion-udf.timer"
DATE = """#!/bin/sh
# The machine's date until somebody says that the day has changed, then one that no night should ask for.
if [ -e {site}/midnight ]; then echo "${{3%=*}}=1999-12-31"; else exec /usr/bin/date "$@"; fi
"""
CHANGES = """[Unit]
StartLimitBurst=10
[Service]
User=root
RestartSec=1s
Nice=0
# Where Python itself lies in somebody's home.
ProtectHome=read-only
StandardOutput=append:{site}/log
StandardError=inherit
Environment=PATH={site}/bin:/usr/bin:/bin PYTHONPATH={root} SPARK_LOCAL_IP=127.0.0.1
"""


@dataclass(frozen=True)
class Unit:
    """What systemd said of the service when it had ended."""

    state: str
    result: str

    @classmethod
    def of(cls, systemd: Systemd) -> "Unit":
        shown = systemd.wait_for(SERVICE, lambda unit: unit["ActiveState"] in ("inactive", "failed"))
        return cls(shown["ActiveState"], shown["Result"])


@dataclass(frozen=True)
class Nights:
    """Three nights, in this order, and the days before today, oldest first."""

    site: Site
    days: list[date]
    refused: Unit
    killed: Unit
    late: Unit


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="emotions-test-", dir="/srv"))  # the unit has a /tmp of its own
    folder.chmod(0o755)
    yield make_site(folder, date.today(), bad=days_before(date.today(), 1))
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def systemd(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    units = tmp_path_factory.mktemp("units")
    for unit in (SERVICE, TIMER):
        (units / unit).write_text(site.adapt(ROOT / "conf/systemd" / unit), encoding="utf-8")
    (units / f"{SERVICE}.d").mkdir()
    (units / f"{SERVICE}.d/test.conf").write_text(CHANGES.format(site=site.folder, root=ROOT), encoding="utf-8")
    (units / f"{TIMER}.d").mkdir()
    (units / f"{TIMER}.d/test.conf").write_text("[Timer]\nRandomizedDelaySec=0\n", encoding="utf-8")
    (site.folder / "bin").mkdir()
    (site.folder / "bin/date").write_text(DATE.format(site=site.folder), encoding="utf-8")
    (site.folder / "bin/date").chmod(0o755)
    with running_systemd(units) as systemd:
        yield systemd


@pytest.fixture(scope="module")
def nights(site: Site, systemd: Systemd) -> Nights:
    days = days_before(date.today(), 3)
    start(systemd, SERVICE)
    refused = Unit.of(systemd)
    write_feed(site.folder / "feedback", date.today())
    start(systemd, SERVICE)
    wait_for_step(site, "canary", 4)
    (site.folder / "midnight").touch()
    systemd.run("systemctl", "kill", "--signal=KILL", SERVICE)
    killed = Unit.of(systemd)
    (site.folder / "midnight").unlink()
    systemd.run("touch", "--date=2 days ago", f"/var/lib/systemd/timers/stamp-{TIMER}")
    start(systemd, TIMER)
    return Nights(site, days, refused, killed, Unit.of(systemd))


def start(systemd: Systemd, unit: str) -> None:
    """Start a unit and wait until the service is at work."""
    systemd.run("systemctl", "start", "--no-block", unit)
    systemd.wait_for(SERVICE, lambda shown: shown["ActiveState"] == "activating")


def wait_for_step(site: Site, step: str, count: int) -> None:
    """Wait until the log names a step for the n-th time."""
    for _ in range(7_200):
        if (site.folder / "log").read_text(encoding="utf-8").count(f"step={step} done") == count:
            return
        time.sleep(0.25)
    pytest.fail(f"expected step {step} within half an hour")


def test_a_day_that_a_gate_refuses_fails_the_unit_at_once_and_holds_up_no_other(nights: Nights) -> None:
    assert nights.refused == Unit("failed", "exit-code")
    first, second, refused = nights.days
    assert nights.site.runs()[:3] == [
        ("published", first, first),
        ("published", second, second),
        ("refused", refused, refused),
    ]


def test_a_try_that_is_killed_is_tried_again_with_its_days_although_midnight_has_passed(nights: Nights) -> None:
    assert nights.killed == Unit("inactive", "success")
    day = nights.days[-1]
    assert nights.site.runs()[3:] == [("failed", day, day), ("published", day, day)]


def test_the_timer_starts_a_night_that_was_missed(nights: Nights, systemd: Systemd) -> None:
    assert systemd.show(TIMER)["LastTriggerUSec"]
    assert nights.late == Unit("inactive", "success")


def test_no_text_and_no_author_is_in_the_journal(nights: Nights) -> None:
    written = (nights.site.folder / "log").read_text(encoding="utf-8")

    assert "step=publish" in written
    assert [value for value in private_values() if value in written] == []
