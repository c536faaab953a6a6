"""A systemd of a test's own: process 1 of namespaces, which sees the units of the test and no others."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

_PROGRAM: Final = Path("/lib/systemd/systemd")
_TARGETS: Final = (
    "basic", "network-online", "shutdown", "sysinit", "tests", "time-set", "time-sync", "timers",
)  # fmt: skip
_BOOT: Final = """
    mount -t tmpfs tmpfs /run
    umount --recursive /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t tmpfs tmpfs /etc/systemd/system
    mount -t tmpfs tmpfs /var/lib/systemd
    cp --recursive "$1"/* /etc/systemd/system
    mkdir -p /run/systemd/system /var/lib/systemd/timers
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/etc/systemd/system container=tests \
        "$2" --system --unit=tests.target --log-target=console --show-status=no
"""


@dataclass(frozen=True)
class Systemd:
    """A systemd that runs.

    Attributes:
        number: Its process, as this machine counts it.
    """

    number: int

    def run(self, *command: str) -> str:
        """Run a command beside it, and return what it prints."""
        entered = ["nsenter", f"--target={self.number}", "--all", *command]
        ended = subprocess.run(entered, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def show(self, unit: str) -> dict[str, str]:
        """Return what it knows of a unit."""
        return dict(line.split("=", 1) for line in self.run("systemctl", "show", unit).splitlines() if "=" in line)

    def wait_for(self, unit: str, is_so: Callable[[Mapping[str, str]], bool], seconds: float = 1_800) -> dict[str, str]:
        """Wait until something is so of a unit, and return what is known of it then."""
        deadline = time.monotonic() + seconds
        while not is_so(shown := self.show(unit)):
            if time.monotonic() > deadline:
                pytest.fail(f"expected it within {seconds:.0f} s, found {shown['ActiveState']} {shown['Result']}")
            time.sleep(0.5)
        return shown


@contextmanager
def running_systemd(units: Path) -> Iterator[Systemd]:
    """Start systemd with the units of a folder; skip where this process may not or there is none."""
    hierarchy = _unified_hierarchy()
    if os.geteuid() != 0 or not _PROGRAM.exists() or hierarchy is None:
        pytest.skip("needs root, systemd and control groups of version 2; apt-get install systemd")
    for name in _TARGETS:
        (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n", encoding="utf-8")
    group = hierarchy / f"emotion-udf-tests-{os.getpid()}"
    group.mkdir()
    namespaces = ["--mount", "--mount-proc", "--pid", "--fork", "--kill-child", "--cgroup", "--uts", "--ipc"]
    enter = f'echo $$ >{group}/cgroup.procs && exec unshare {" ".join(namespaces)} sh -ec "$@"'
    boot = ["sh", "-c", enter, "sh", _BOOT, "sh", str(units), str(_PROGRAM)]
    process = subprocess.Popen(boot, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield _booted(process)
    finally:
        process.send_signal(signal.SIGKILL)  # and with it all processes of the namespace
        process.wait()
        _remove(group)


def _unified_hierarchy() -> Path | None:
    """Return where control groups of version 2 are mounted, None where they are not."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return next((Path(fields[1]) for fields in mounts if fields[2] == "cgroup2"), None)


def _booted(process: "subprocess.Popen[bytes]") -> Systemd:
    for _ in range(300):
        assert process.poll() is None, "expected systemd to start, found that it has ended"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
            systemd = Systemd(int(children[0]))
            with suppress(AssertionError):
                systemd.run("systemctl", "is-active", "tests.target")
                return systemd
        time.sleep(0.1)
    return pytest.fail("expected systemd within 30 s")


def _remove(group: Path) -> None:
    """Remove a control group with those below it, once their processes are gone."""
    for _ in range(100):
        for folder in sorted(group.rglob("*/"), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)
