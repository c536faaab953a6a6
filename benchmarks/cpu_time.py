"""The CPU seconds of all that a command starts, from Linux's /proc.

Not from getrusage: that counts children which were waited for, and the daemon of Spark's Python workers waits for none.
"""

import os
from contextlib import suppress
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class SessionClock:
    """Adds up what the processes of a session have computed, in user and in system mode; sampled.

    Of a process that ends, what it did after the last sample before is not counted.

    Args:
        session: The id of the session, which is that of the process that leads it.
    """

    def __init__(self, session: int) -> None:
        self._session = session
        self._ticks: dict[tuple[str, str], int] = {}  # by id and moment of its start
        self._others: set[str] = set()  # ids of processes of other sessions

    def sample(self) -> float:
        """Look at the processes that run now, and return the CPU seconds of all that were seen so far."""
        ids = {name for name in os.listdir("/proc") if name.isdigit()}
        self._others &= ids
        for pid in ids - self._others:
            with suppress(OSError):  # it has ended
                # After the name, which may hold spaces and brackets, come the state and numbers; see proc(5).
                fields = (
                    Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                )
                if int(fields[3]) == self._session:
                    self._ticks[pid, fields[19]] = int(fields[11]) + int(fields[12])
                else:
                    self._others.add(pid)
        return sum(self._ticks.values()) / _TICKS_A_SECOND
