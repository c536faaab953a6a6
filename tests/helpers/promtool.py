"""Prometheus's own checker, where the machine has one."""

import shutil
import subprocess
from pathlib import Path

import pytest


def promtool(*arguments: str | Path, text: str | None = None) -> str:
    """Run it and return what it says; skip where there is none."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("needs promtool, found none; apt-get install prometheus")
    ended = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr
