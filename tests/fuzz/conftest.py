"""How long to search: a fixed handful of examples in `make test`, many new ones in `make fuzz` (FUZZ_NIGHTS)."""

import os
from collections import Counter
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings

_CHECKS = list(HealthCheck)
_IS_SEARCH = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"

NIGHTS: Final = settings(
    deadline=None,
    max_examples=int(os.environ.get("FUZZ_NIGHTS", "300")) if _IS_SEARCH else 3,
    derandomize=not _IS_SEARCH,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # to shrink a night takes longer than to look at it
    print_blob=True,
    suppress_health_check=_CHECKS,
)
"""Whole nights of up to two dozen files each: seconds a night."""

FILES: Final = settings(NIGHTS, max_examples=50 * NIGHTS.max_examples)
"""Single files that only the driver looks at: milliseconds a file."""

TALLY: Final[Counter[str]] = Counter()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried."""
    if TALLY:
        terminalreporter.write_line("fuzz: " + ", ".join(f"{count} {what}" for what, count in sorted(TALLY.items())))
