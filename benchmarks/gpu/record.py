"""What measurements found, written down one by one; a measurement that fails does not stop the others."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu.told import tell


@dataclass(frozen=True)
class Found:
    """What a measurement found.

    Args:
        figures: For the JSON.
        text: The same for people.
        goal: What it is to be compared with.
    """

    figures: dict[str, Any]
    text: str
    goal: str = ""


@dataclass
class Record:
    """All measurements, in the order they were taken, each written down as soon as it is there.

    Args:
        out: The JSON file.
        about: What stands at its head.
        seconds: After so many no further measurement begins.
    """

    out: Path
    about: dict[str, Any]
    seconds: float
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def take(self, name: str, measure: Callable[[], Found]) -> dict[str, Any]:
        """Take a measurement, write it down and print its line; what stops it is written down in its place.

        Args:
            name: Of the measurement.
            measure: What measures.

        Returns:
            Its entry in the JSON: the figures and their text, or an `error`.
        """
        started = time.perf_counter()
        if started - self.began > self.seconds:
            entry: dict[str, Any] = {"error": f"not begun: {self.seconds:,.0f} seconds had passed (--seconds)"}
        else:
            entry = _attempt(measure) | {"took_s": time.perf_counter() - started}
        self.found[name] = entry
        self.out.write_text(json.dumps(self.about | {"measurements": self.found}, indent=2) + "\n", encoding="utf-8")
        sys.stdout.write(f"{name:<44} {tell(entry)}\n")
        sys.stdout.flush()
        return entry


def _attempt(measure: Callable[[], Found]) -> dict[str, Any]:
    try:
        found = measure()
    except Exception as error:
        first_line = (str(error).splitlines() or [""])[0]
        return {"error": f"{type(error).__name__}: {first_line}"}
    return found.figures | {"text": found.text, "goal": found.goal}
