"""Disks of a few kilobytes, which root may mount, and which get full."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

Mount = Callable[[Path, str], Path]


@contextmanager
def small_disks() -> Iterator[Mount]:
    """Mount disks, with options such as `size=64k`, until the end; skip where that is not allowed."""
    with ExitStack() as stack:

        def mount(place: Path, options: str) -> Path:
            place.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], check=False)
            if done.returncode:
                pytest.skip("needs to be allowed to mount")
            stack.callback(_unmount, place)
            return place

        yield mount


def remount(disk: Path, options: str) -> None:
    """Change the options of a disk that is mounted."""
    subprocess.run(["mount", "-o", f"remount,{options}", disk], check=True)


def _unmount(place: Path) -> None:
    subprocess.run(["umount", "--lazy", place], check=True)
