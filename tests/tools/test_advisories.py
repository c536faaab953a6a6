"""What `make audit` makes of pip-audit's answer, or of none."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.paths import ROOT
from tools.advisories import main

GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "ours", "skip_reason": "not known there"}


def program(folder: Path, report: str, code: int) -> Path:
    """Write a program in pip-audit's place, which writes a report where it is told to."""
    file = folder / "pip-audit"
    file.write_text(
        f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\n"
        f"place = [a for a in sys.argv if a.startswith('--output=')][0].partition('=')[2]\n"
        f"report = {report!r}\nif report: Path(place).write_text(report)\nsys.exit({code})\n"
    )
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([GOOD], 0, "1 packages asked about, 0 not known, 0 problems"),
        ([GOOD, UNKNOWN], 0, "1 packages asked about, 1 not known, 0 problems"),
        ([GOOD, BAD], 1, "bad 2: CVE-2026-1; fixed in 3"),
        ([UNKNOWN], 0, "COULD NOT BE ASKED"),
    ],
)
def test_an_answer_is_told(
    packages: list[dict[str, Any]], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(program(tmp_path, json.dumps({"dependencies": packages}), code), tmp_path / "none.txt") == code
    assert said in "".join(capsys.readouterr())


@pytest.mark.parametrize("report", ["", '{"depend'])
def test_no_answer_is_no_failure_and_no_all_clear(
    report: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(program(tmp_path, report, 1), tmp_path / "none.txt") == 0
    assert "COULD NOT BE ASKED" in capsys.readouterr().out


def test_without_pip_audit_nothing_is_known_either(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path / "none") == 0
    assert "COULD NOT BE ASKED" in capsys.readouterr().out


def test_the_licences_are_checked_before_anything_is_asked() -> None:
    told = subprocess.run(["make", "--dry-run", "audit"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert told.index("tools.licences") < told.index("tools.advisories")
