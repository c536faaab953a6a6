"""The run context: the fixed facts of a run, handed to every step of it."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime

from emotion_udf.settings.nightly import NightSettings
from emotion_udf.steps.pseudonymise import Pseudonyms
from emotion_udf.window import Window


@dataclass(frozen=True)
class RunContext:
    """The facts of a run that are known before it starts, and that nothing changes.

    Attributes:
        settings: The settings as loaded.
        window: The days to label.
        started_at: The start, in UTC.
        run_id: The run's name; made from its start where none is given.
        pseudonyms: What stands in place of ids and authors; None where they stay.
    """

    settings: NightSettings
    window: Window
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    run_id: str = ""
    pseudonyms: Pseudonyms | None = None

    def __post_init__(self) -> None:
        if not self.run_id:
            object.__setattr__(self, "run_id", new_run_id(self.started_at))  # frozen for everybody else


def new_run_id(now: datetime) -> str:
    """Name a run by its start in UTC, with enough chance to tell two of the same second apart."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
