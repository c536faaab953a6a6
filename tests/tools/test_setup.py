"""tools/setup.sh installs nothing on the machine unasked."""

import contextlib
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

NEEDED = ("bash", "cat", "dirname", "env", "grep", "id", "sed", "tail")
PACKAGE = "default-jre-headless"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine without Java, whose apt-get writes down what it is asked for and installs nothing."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in NEEDED:
        (commands / name).symlink_to(shutil.which(name) or pytest.fail(f"expected {name}"))
    for name, script in (("python3", "true"), ("apt-get", f'echo "$*" >>{tmp_path}/asked'), ("sudo", 'exec "$@"')):
        (commands / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (commands / name).chmod(0o755)
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/setup.sh", tmp_path / "tools/setup.sh")
    return tmp_path


def setup(machine: Path, typed: str | None = None, **variables: str) -> tuple[int, str, list[str]]:
    """Run setup.sh, on a terminal if something is typed; return its exit code, its words and those to apt-get."""
    master, terminal = pty.openpty()
    os.write(master, f"{typed}\n".encode())
    ended = subprocess.run(
        [machine / "tools/setup.sh"],
        env={"PATH": str(machine / "bin")} | variables,
        stdin=subprocess.DEVNULL if typed is None else terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if typed is None else terminal,
        text=True,
        timeout=60,
    )
    os.close(terminal)
    said = ended.stdout + (ended.stderr or "") + read_all(master)
    asked = machine / "asked"
    return ended.returncode, said, asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []


def read_all(master: int) -> str:
    """Read what was written to a terminal that is closed now; its end is an error."""
    parts = []
    with os.fdopen(master, "rb", buffering=0) as stream, contextlib.suppress(OSError):
        while part := stream.read(1_000):
            parts.append(part)
    return b"".join(parts).decode()


def test_unattended_it_says_what_to_install_and_ends(machine: Path) -> None:
    code, said, asked = setup(machine)

    assert (code, asked) == (2, [])
    assert "Java 17" in said
    assert f"apt-get install {PACKAGE}" in said


@pytest.mark.parametrize("variables", [{"CI": "true"}, {"EMOTION_UDF_APT": "yes"}])
def test_answered_beforehand_it_installs(machine: Path, variables: dict[str, str]) -> None:
    code, said, asked = setup(machine, **variables)

    assert asked == ["update", f"install -y {PACKAGE}"]
    assert code == 2  # this apt-get has brought no Java
    assert "JAVA_HOME" in said


def test_a_no_beforehand_holds_in_ci_too(machine: Path) -> None:
    code, _, asked = setup(machine, CI="true", EMOTION_UDF_APT="no")

    assert (code, asked) == (2, [])


@pytest.mark.parametrize(("typed", "installs"), [("y", True), ("n", False), ("", False)])
def test_on_a_terminal_it_asks(machine: Path, typed: str, installs: bool) -> None:
    code, said, asked = setup(machine, typed)

    assert code == 2
    assert f"apt-get install {PACKAGE}?" in said
    assert bool(asked) is installs
