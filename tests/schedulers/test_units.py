"""conf/systemd: systemd itself takes the units, says when they start, and rates how far they are shut in."""

import re
import subprocess
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.sites import Site

UNITS = ROOT / "conf/systemd"


def systemd_analyze(*arguments: str | Path) -> str:
    """Run it and return what it says; skip where there is none."""
    try:
        ended = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("needs systemd-analyze, found none; apt-get install systemd")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units with a site's own places, whose programs are there."""
    site = Site(tmp_path / "site")
    programs = site.folder / ".venv/bin"
    programs.mkdir(parents=True)
    files = [tmp_path / unit.name for unit in sorted(UNITS.iterdir())]
    for file in files:
        file.write_text(site.adapt(UNITS / file.name), encoding="utf-8")
        for program in re.findall(rf"{programs}/([\w-]+)", file.read_text(encoding="utf-8")):
            (programs / program).touch(mode=0o755)
    return files


def test_systemd_takes_the_units_without_a_word(units: list[Path]) -> None:
    assert systemd_analyze("verify", *units) == ""


def test_the_timer_goes_off_every_night() -> None:
    (when,) = re.findall(r"^OnCalendar=(.*)$", (UNITS / "emotion-udf.timer").read_text(), flags=re.MULTILINE)
    said = systemd_analyze("calendar", "--iterations=3", when)
    starts = [datetime.fromisoformat(day) for day in re.findall(r"\b(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})\b", said)]

    nights = sorted(set(starts))
    assert len(nights) >= 3
    assert {later - earlier for earlier, later in pairwise(nights)} == {timedelta(days=1)}


def test_the_service_is_shut_in(units: list[Path]) -> None:
    service = next(unit for unit in units if unit.suffix == ".service")

    assert systemd_analyze("security", "--offline=true", "--threshold=35", service)
