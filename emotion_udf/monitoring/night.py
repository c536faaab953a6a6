"""A night as it is told: facts and figures, without the text of a message or its author."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from emotion_udf.settings.nightly import NightSettings
from emotion_udf.tables.warehouse import Release

PUBLISHED: Final = "published"


@dataclass(frozen=True)
class Night:
    """A run as far as it has come, or a start that never became a run.

    Attributes:
        at: The moment that this is true of, in UTC.
        outcome: As in `runs`; None while the run goes on.
        exit_code: That of the job; None while the run goes on.
        error: What went wrong, in this project's words.
        settings: The settings of the night; None where they cannot be read.
        run: The run's row of `runs`; None where none has begun.
        release: The newest release; None where it is not known.
    """

    at: datetime
    outcome: str | None = None
    exit_code: int | None = None
    error: str | None = None
    settings: NightSettings | None = None
    run: Mapping[str, Any] | None = None
    release: Release | None = None

    @property
    def is_published(self) -> bool:
        """Tell whether its dates are in the tables."""
        return self.outcome == PUBLISHED

    @property
    def gates(self) -> Sequence[Mapping[str, Any]]:
        """The gates' results, as in `runs`."""
        return self.run["gates"] if self.run else ()
