"""The archive of `make dist` under a root that has no Python, and few of this machine's libraries."""

import os
import platform
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.archive import find_archive
from tests.helpers.copies import run_night

pytestmark = pytest.mark.slow

LIBRARIES: Final = Path("/lib/x86_64-linux-gnu")
GLIBC: Final = ("c", "m", "dl", "pthread", "rt", "util", "resolv")
OTHERS: Final = ("stdc++", "gcc_s", "z")
"""What wheels expect of every Linux beside glibc, by the rule that they are built by (manylinux)."""
PROGRAMS: Final = ("sh", "dirname", "realpath")
"""What the first line of a command needs."""
HOME: Final = "/opt/emotions"
LABEL: Final = """
import sys
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
scores = load_classifier(open_artifact(ArtifactSource()), "cpu").score(["i feel so happy today", "i am furious"])
print(sys.prefix, scores.probabilities.argmax(axis=1).tolist())
"""


@dataclass(frozen=True)
class OtherRoot:
    """A folder that is the root of the programs that run in it."""

    folder: Path

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program there, with nothing of this machine's environment."""
        # By /proc the linker knows where a program lies.
        mounted = 'mount -t proc none "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"'
        inside = ["unshare", "--mount", "sh", "-c", mounted, str(self.folder), *command]
        environment = {"PATH": "/usr/sbin:/usr/bin:/bin"}
        return subprocess.run(inside, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherRoot]:
    if os.geteuid() or platform.machine() != "x86_64" or not LIBRARIES.is_dir():
        pytest.skip("needs root, for another root, and the libraries of Debian on x86-64")
    archive = find_archive()
    root = tmp_path_factory.mktemp("root")
    for folder in ("bin", "dev", "lib64", "proc", f".{LIBRARIES}", "tmp", f".{HOME}"):
        (root / folder).mkdir(parents=True)
    shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib64")
    for name in (*GLIBC, *OTHERS):
        (library,) = LIBRARIES.glob(f"lib{name}.so.[0-9]")
        shutil.copy(library, f"{root}{library}")
    for name in PROGRAMS:
        shutil.copy(shutil.which(name) or name, root / "bin")
    with tarfile.open(archive) as packed:
        packed.extractall(f"{root}{HOME}", filter="tar")
    yield OtherRoot(root)
    shutil.rmtree(root)  # it holds a torch


def test_it_labels_messages_where_there_is_no_other_python(other: OtherRoot) -> None:
    assert other.run("/bin/sh", "-c", "python3").returncode == 127
    done = other.run(f"{HOME}/bin/python3", "-c", LABEL)
    assert (done.returncode, done.stdout) == (0, f"{HOME} [1, 3]\n"), done.stderr


def test_its_commands_work_wherever_it_lies(other: OtherRoot) -> None:
    warehouse = DeltaWarehouse(open_folder(str(other.folder / "warehouse")))
    run_night(warehouse, "r1", [date(2026, 10, 5)])
    (other.folder / "link").symlink_to(f"{HOME}/bin/emotion-published")

    for command in (f"{HOME}/bin/emotion-published", "/link"):
        done = other.run(command, "--warehouse=/warehouse", "--date=2026-10-05")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("2026-10-05 is in release 1 of ")


def test_it_names_no_folder_of_the_machine_that_built_it(other: OtherRoot) -> None:
    done = other.run(f"{HOME}/bin/python3", "-c", "import sys, emotion_udf.udf; print(*sys.path, emotion_udf.__file__)")
    places = done.stdout.split()
    assert done.returncode == 0, done.stderr
    assert [place for place in places if not place.startswith(HOME)] == []


def test_python_compiles_nothing_again(other: OtherRoot) -> None:
    flags = "open(importlib.util.cache_from_source(emotion_udf.__file__), 'rb').read(8)[4]"
    done = other.run(f"{HOME}/bin/python3", "-c", f"import importlib.util, emotion_udf; print({flags})")
    assert done.stdout == "1\n", "known by its content (PEP 552), and not compared with it"
