"""The record of one run: what it was asked, what it did, how it ended."""

import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.errors import EmotionUdfError, GateError, InputError, UsageError, WindowHeldError
from emotion_udf.gates.counts import GateResult, NightCounts
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.window import Window

_PACKAGES = ("emotion-udf", "pyspark", "deltalake", "pandas", "pyarrow", "torch", "tokenizers")
_CARDS = ("MODEL_CARD.md", "README.md")


class Outcome(StrEnum):
    """How a run ended."""

    PUBLISHED = "published"
    REFUSED = "refused"
    WINDOW_HELD = "window_held"
    BAD_INPUT = "bad_input"
    BAD_SETTINGS = "bad_settings"
    FAILED = "failed"


_OUTCOMES: dict[type[EmotionUdfError], Outcome] = {
    GateError: Outcome.REFUSED,
    WindowHeldError: Outcome.WINDOW_HELD,
    InputError: Outcome.BAD_INPUT,
    UsageError: Outcome.BAD_SETTINGS,
}


def new_run_id(now: datetime) -> str:
    """Make a run's name: its start in UTC, and enough chance to tell two of the same second apart."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@dataclass
class Run:
    """A run in progress; `row` turns it into a row of the `runs` table."""

    settings: NightSettings
    window: Window
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    run_id: str = ""
    artifact: Artifact | None = None
    input_files: list[str] = field(default_factory=list)
    input_bytes: int = 0
    engines: list[str] = field(default_factory=list)
    """What scored the texts of this run; none where no text was new."""
    counts: NightCounts = field(default_factory=NightCounts)
    seconds: dict[str, float] = field(default_factory=dict)
    gates: list[GateResult] = field(default_factory=list)
    outcome: Outcome = Outcome.FAILED
    exit_code: int = 1
    error: str | None = None
    finished_at: datetime | None = None

    def __post_init__(self) -> None:
        self.run_id = self.run_id or new_run_id(self.started_at)

    def publish(self) -> None:
        """Note that the run's tables are published."""
        self.outcome, self.exit_code, self.finished_at = Outcome.PUBLISHED, 0, datetime.now(UTC)

    def fail(self, error: BaseException) -> None:
        """Note how the run failed: this project's own words, or just the name of a foreign error."""
        self.finished_at = datetime.now(UTC)
        self.outcome, self.exit_code, self.error = Outcome.FAILED, 1, type(error).__name__
        if isinstance(error, EmotionUdfError):
            self.exit_code, self.error = error.exit_code, str(error)
            self.outcome = next((o for kind, o in _OUTCOMES.items() if isinstance(error, kind)), Outcome.FAILED)

    @property
    def total_seconds(self) -> float:
        """Wall-clock seconds from the start to the end, or till now."""
        return ((self.finished_at or datetime.now(UTC)) - self.started_at).total_seconds()

    @property
    def rows_per_s(self) -> float:
        """Rows read a second, end to end."""
        return self.counts.read / self.total_seconds if self.total_seconds > 0 else 0.0

    def row(self) -> dict[str, Any]:
        """Return the run as a row of `schemas.runs_schema()`."""
        settings = self.settings
        return {
            "event_date": self.window.last,
            "run_id": self.run_id,
            "from_date": self.window.first,
            "to_date": self.window.last,
            "timezone": self.window.timezone,
            "started_at": self.started_at,
            "finished_at": self.finished_at or datetime.now(UTC),
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "error": self.error,
            "input": settings.input.path or settings.input.table,
            "input_files": self.input_files,
            "input_bytes": self.input_bytes,
            "refused_files": self.counts.refused_files,
            "rows_read": self.counts.read,
            "rows_quarantined": self.counts.quarantined,
            "distinct_texts": self.counts.distinct_texts,
            "reused_texts": self.counts.reused_texts,
            "rows_labelled": self.counts.labelled,
            "model": settings.classifier.model,
            "model_revision": settings.classifier.revision,
            "model_fingerprint": self.artifact.fingerprint if self.artifact else None,
            "weights_sha256": self.artifact.weights_sha256 if self.artifact else None,
            "model_card": _card(self.artifact),
            "engines": self.engines,
            "settings_digest": settings.digest(),
            "versions": _versions(),
            "seconds": self.seconds,
            "rows_per_s": self.rows_per_s,
            "gates": [asdict(gate) for gate in self.gates],
        }


def _card(artifact: Artifact | None) -> str | None:
    """Return the model's card as it lies beside the weights."""
    files = [artifact.folder / name for name in _CARDS] if artifact else []
    return next((file.read_text(encoding="utf-8") for file in files if file.is_file()), None)


def _versions() -> dict[str, str]:
    """Return the versions of what can change a result; the driver need not have what only workers use."""
    found = {"python": python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
