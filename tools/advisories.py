"""Ask what is known of vulnerabilities in the pinned dependencies: `python -m tools.advisories`.

pip-audit asks osv.dev. Where that cannot be reached nothing is known, which is said, and is no failure: a change is not
worse for it. Only a vulnerability that was found is.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
PIP_AUDIT: Final = ROOT / ".venv-audit/bin/pip-audit"
_SECONDS: Final = 600


@dataclass(frozen=True)
class Answer:
    """What the advisories say.

    Attributes:
        found: A sentence for each vulnerability.
        asked: Packages that they know.
        skipped: Packages that they could not be asked about.
    """

    found: list[str]
    asked: int
    skipped: int


def ask(program: Path, requirements: Path) -> Answer | None:
    """Run pip-audit over a file of pinned packages.

    Returns:
        The answer; None where there was none.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        options = [
            "--no-deps",
            "--disable-pip",
            "--progress-spinner=off",
            "--vulnerability-service=osv",
            "--format=json",
        ]
        command: list[str | Path] = [program, f"--requirement={requirements}", *options, f"--output={report}"]
        try:
            subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)  # noqa: S603 (it is our own)
            return read_report(json.loads(report.read_text(encoding="utf-8")))
        except (OSError, ValueError, subprocess.TimeoutExpired):
            return None  # it writes no report, or half of one, when it is not answered


def read_report(report: dict[str, Any]) -> Answer:
    """Read a report of pip-audit."""
    packages = report["dependencies"]
    asked = [package for package in packages if "skip_reason" not in package]
    found = [
        f"{package['name']} {package['version']}: {found['id']}; fixed in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for package in asked
        for found in package["vulns"]
    ]
    return Answer(found, len(asked), len(packages) - len(asked))


def main(program: Path = PIP_AUDIT, requirements: Path = ROOT / "constraints.txt") -> int:
    """Print what is known, and return the exit code."""
    answer = ask(program, requirements)
    if answer is None or not answer.asked:
        print(
            "advisories: COULD NOT BE ASKED, so nothing is known of vulnerabilities; run this where osv.dev is in reach"
        )
        return 0
    for vulnerability in answer.found:
        print(f"advisories: {vulnerability}", file=sys.stderr)
    print(f"advisories: {answer.asked} packages asked about, {answer.skipped} not known, {len(answer.found)} problems")
    return 1 if answer.found else 0


if __name__ == "__main__":
    sys.exit(main())
