"""A process beside each worker that ends it when it is stopped.

Spark ends a silent worker by SIGTERM, which a stopped process (SIGSTOP, a full cgroup, a debugger that went away) never
gets to see: the task would wait for ever. This file is also the program of that process, so it imports little.
"""

import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path

LOOK_EVERY_S = 1.0

_watched: dict[int, int] = {}
"""The numbers of this process (a fork has another) and of a pipe to its watchdog, which sees there when it ends."""


def start_watchdog(stopped_s: float) -> None:
    """Start this process's watchdog, unless it has one. It goes when the process ends.

    Args:
        stopped_s: Seconds after which the process, once stopped, is killed.
    """
    if os.getpid() in _watched:
        return
    reading, _watched[os.getpid()] = os.pipe()
    # A program of its own: a fork would keep the worker's connection to Spark open.
    program = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(stopped_s)]
    os.posix_spawn(sys.executable, program, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)])
    os.close(reading)


def watch(pid: int, stopped_s: float) -> None:
    """Look at a process until standard input ends; kill it when it was found stopped, without any work done, so long.

    `cpulimit` and the like stop a process for moments only; between them it works.
    """
    stopped_at: int | None = None  # processor time
    looks = 0
    while not select.select([0], [], [], LOOK_EVERY_S)[0]:
        state, worked = state_of(pid)
        looks = looks + 1 if state == "T" and worked == stopped_at else 0
        stopped_at = worked if state == "T" else None
        if looks * LOOK_EVERY_S >= stopped_s:
            os.kill(pid, signal.SIGKILL)
            return


def state_of(pid: int) -> tuple[str, int]:
    """Return a process's state as `ps` writes it, and the processor time that it has used, in ticks of the clock."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return fields[0], int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    with suppress(OSError):  # the process has just gone
        watch(int(sys.argv[1]), float(sys.argv[2]))
