"""tools/find_gpus.sh: what it tells Spark of what nvidia-smi says."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT


def find_gpus(folder: Path, nvidia_smi: str | None) -> "subprocess.CompletedProcess[str]":
    """Run the script where nvidia-smi is a shell script, or where there is none."""
    if nvidia_smi is not None:
        program = folder / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{nvidia_smi}\n")
        program.chmod(0o755)
    path = f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin" if nvidia_smi is not None else str(folder)
    command: list[str | Path] = ["/bin/bash", ROOT / "tools" / "find_gpus.sh"]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("listed", "addresses"), [("0", ["0"]), (r"0\n1\n10", ["0", "1", "10"])])
def test_gpus_are_told_by_their_numbers(tmp_path: Path, listed: str, addresses: list[str]) -> None:
    found = find_gpus(tmp_path, f"printf '{listed}\\n'")

    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == {"name": "gpu", "addresses": addresses}


@pytest.mark.parametrize(
    ("nvidia_smi", "told"),
    [
        (None, "expected nvidia-smi on the PATH, found none"),
        ("exit 9", "found that it fails"),
        ("echo No devices were found", "by their numbers, found none"),
        ("true", "by their numbers, found none"),
    ],
)
def test_a_machine_without_one_is_refused(tmp_path: Path, nvidia_smi: str | None, told: str) -> None:
    found = find_gpus(tmp_path, nvidia_smi)

    assert found.returncode == 1
    assert told in found.stderr
    assert found.stdout == ""
