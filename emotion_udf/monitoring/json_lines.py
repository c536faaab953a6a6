"""One line of JSON a night, for whatever collects logs."""

import errno
import json
import math
import os
import sys
from datetime import date
from typing import Any, Final

from emotion_udf.monitoring.night import Night

STANDARD_OUTPUT: Final = "-"

_LEFT_OUT: Final = ("event_date", "input_files", "model_card", "outcome", "exit_code", "error")
"""Of the row of `runs`: what is long, and what is told of a night without a run too."""


def line_of(night: Night, name: str) -> str:
    """Return a night as JSON, without the end of a line."""
    run = {key: value for key, value in (night.run or {}).items() if key not in _LEFT_OUT}
    told = {
        "night": name,
        "at": night.at,
        "outcome": night.outcome,
        "exit_code": night.exit_code,
        "error": night.error,
        "release": night.release.number if night.release else None,
        **run,
    }
    return json.dumps(_plain(told), allow_nan=False)


def write_line(night: Night, name: str, place: str) -> None:
    """Append the line to a file, or print it.

    Raises:
        OSError: The file takes no line; it is left as it was.
    """
    line = f"{line_of(night, name)}\n"
    if place == STANDARD_OUTPUT:
        sys.stdout.write(line)
        sys.stdout.flush()
        return
    # One write, so that lines of several nights do not mix.
    handle = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        content = line.encode()
        written = os.write(handle, content)
        if written < len(content):
            os.ftruncate(handle, os.fstat(handle).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
    finally:
        os.close(handle)


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it; a number that it does not know by its name."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
