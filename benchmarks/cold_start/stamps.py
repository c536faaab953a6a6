"""When a start got where, and what it spent its seconds on. Needs the standard library only."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final, TypedDict

PHASES: Final = {
    "spark-submit and its JVM": "driver",
    "imports of the driver": "imported",
    "Spark session": "session",
    "UDF made, model folder checked": "made",
    "query planned, Python daemon started": "daemon",
    "daemon's imports, worker forked": "worker",
    "worker's imports, first rows received": "called",
    "imports of torch and the classifier": "classifier_imported",
    "model loaded": "loaded",
    "first forward pass": "scored",
    "row back at the driver": "collected",
}
"""What the seconds up to each stamp were spent on, in their order."""


class Details(TypedDict):
    """What a job says after its first row.

    Args:
        stamps: Seconds since the epoch, by the names in `PHASES`; those of the worker only where it is traced.
        versions: Of Python and of the packages that it ran with.
    """

    stamps: dict[str, float]
    versions: dict[str, str]


def phases(began: float, stamps: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of each phase between stamps that are there.

    Args:
        began: When spark-submit was started, in seconds since the epoch.
        stamps: As in `Details`.
    """
    spent: dict[str, float] = {}
    before = began
    for name, stamp in PHASES.items():
        if stamp in stamps:
            spent[name] = stamps[stamp] - before
            before = stamps[stamp]
    return spent


def median_phases(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each phase's median."""
    return {name: median(spent[name] for spent in measured) for name in PHASES if all(name in m for m in measured)}


def process_started(stat: Path, uptime: Path = Path("/proc/uptime")) -> float:
    """Return when a process was started (or forked), in seconds since the epoch, to the hundredth.

    Args:
        stat: Its `/proc/<pid>/stat`; field 22 is the start in clock ticks since boot (see proc(5)).
        uptime: Linux's seconds since boot.
    """
    # The second field is the program's name in brackets, and may hold brackets and spaces itself.
    ticks = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    since_boot = float(uptime.read_text(encoding="utf-8").split()[0])
    return time.time() - since_boot + ticks / os.sysconf("SC_CLK_TCK")
