"""The record of a run: what it found, what it did, how it ended. It becomes a row of `runs`."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from time import perf_counter
from typing import Any

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.errors import EmotionUdfError, GateError, InputError, UsageError, WindowHeldError
from emotion_udf.gates import GateResult
from emotion_udf.masking import masked
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.work import work_columns
from emotion_udf.steps.pseudonymise import Pseudonyms
from emotion_udf.workers.report import TaskReport

log = logging.getLogger(__name__)

_PACKAGES = ("emotion-udf", "pyspark", "deltalake", "pandas", "pyarrow", "torch", "tokenizers")
_CARDS = ("MODEL_CARD.md", "README.md")

PSEUDONYMS = "pseudonyms"
"""The entry of `runs.versions` by which another key of pseudonyms shows; a run without pseudonyms has none."""


class Outcome(StrEnum):
    """The end of a run."""

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


def outcome_of(error: BaseException) -> Outcome:
    """Return how a run ends that an error ends."""
    return next((outcome for kind, outcome in _OUTCOMES.items() if isinstance(error, kind)), Outcome.FAILED)


@dataclass(frozen=True)
class RunRecord:
    """A run as far as it has come.

    Attributes:
        context: What was fixed at its start.
        artifact: The model, once it is open.
        input_files: URIs of the files that were read.
        input_bytes: Bytes of the input's files, the refused ones included.
        refused_files: Files that could not be read with the others.
        rows_read: Rows of the window.
        rows_quarantined: Rows that were refused.
        distinct_texts: Texts of the accepted messages.
        reused_texts: Those of them that an earlier run had scored.
        rows_labelled: Rows of `emotion_labels`.
        engines: What scored the texts of this run; none where no text was new.
        canary_tasks: What each task of the canary has done.
        tasks: The same of the tasks that scored the texts of this run.
        seconds: Wall-clock seconds of each step.
        gates: The gates' results.
        outcome: How the run ended; `FAILED` until it is known.
        exit_code: The exit code of the job.
        error: What went wrong, without any text of a message.
        finished_at: The end, in UTC; None while the run goes on.
    """

    context: RunContext
    artifact: Artifact | None = None
    input_files: Sequence[str] = ()
    input_bytes: int = 0
    refused_files: int = 0
    rows_read: int = 0
    rows_quarantined: int = 0
    distinct_texts: int = 0
    reused_texts: int = 0
    rows_labelled: int = 0
    engines: Sequence[str] = ()
    canary_tasks: Sequence[TaskReport] = ()
    tasks: Sequence[TaskReport] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    gates: Sequence[GateResult] = ()
    outcome: Outcome = Outcome.FAILED
    exit_code: int = EmotionUdfError.exit_code
    error: str | None = None
    finished_at: datetime | None = None

    @property
    def run_id(self) -> str:
        """The run's name."""
        return self.context.run_id

    @property
    def total_seconds(self) -> float:
        """Wall-clock seconds from the start to the end, or till now."""
        return ((self.finished_at or datetime.now(UTC)) - self.context.started_at).total_seconds()

    @property
    def rows_per_s(self) -> float:
        """Rows read a second, end to end."""
        return self.rows_read / self.total_seconds if self.total_seconds > 0 else 0.0

    def row(self) -> dict[str, Any]:
        """Return the run as a row of `schemas.runs_schema()`."""
        settings = self.context.settings
        window = self.context.window
        return {
            "event_date": window.last,
            "run_id": self.run_id,
            "from_date": window.first,
            "to_date": window.last,
            "timezone": window.timezone,
            "started_at": self.context.started_at,
            "finished_at": self.finished_at or datetime.now(UTC),
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "error": self.error,
            "input": masked(settings.input.path or settings.input.table or ""),
            "input_files": list(self.input_files),
            "input_bytes": self.input_bytes,
            "refused_files": self.refused_files,
            "rows_read": self.rows_read,
            "rows_quarantined": self.rows_quarantined,
            "distinct_texts": self.distinct_texts,
            "reused_texts": self.reused_texts,
            "rows_labelled": self.rows_labelled,
            "model": masked(settings.classifier.model),
            "model_revision": masked(settings.classifier.revision) if settings.classifier.revision else None,
            "model_fingerprint": self.artifact.fingerprint if self.artifact else None,
            "weights_sha256": self.artifact.weights_sha256 if self.artifact else None,
            "model_card": _card(self.artifact),
            "engines": list(self.engines),
            **work_columns(self.canary_tasks, self.tasks),
            "settings_digest": settings.digest(),
            "versions": _versions() | pseudonyms_entry(self.context.pseudonyms),
            "seconds": dict(self.seconds),
            "rows_per_s": self.rows_per_s,
            "gates": [
                {
                    "name": gate.name,
                    "passed": gate.passed,
                    "value": gate.value,
                    "limit": gate.limit,
                    "forced": gate.forced,
                }
                for gate in self.gates
            ],
        }


class RunRecorder:
    """Keeps the record of a run in progress, so that a run which fails is on record as far as it came.

    Args:
        context: The run.
    """

    def __init__(self, context: RunContext) -> None:
        self.record = RunRecord(context)

    def note(self, **facts: Any) -> None:
        """Add facts to the record, named as its attributes."""
        self.record = replace(self.record, **facts)

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, int]]:
        """Time a step and log one line for it, with the counts that the step leaves in the yielded dict."""
        counts: dict[str, int] = {}
        started = perf_counter()
        ended = "failed"
        try:
            yield counts
            ended = "done"
        finally:
            seconds = round(perf_counter() - started, 3)
            self.note(seconds={**self.record.seconds, name: seconds})
            listed = "".join(f" {key}={value}" for key, value in counts.items())
            log.info("run_id=%s step=%s %s%s seconds=%.2f", self.record.run_id, name, ended, listed, seconds)

    def mark_published(self) -> RunRecord:
        """Close the record of a run whose tables are published."""
        self.note(outcome=Outcome.PUBLISHED, exit_code=0, finished_at=datetime.now(UTC))
        return self.record

    def mark_failed(self, error: BaseException) -> RunRecord:
        """Close the record of a failed run, in this project's own words or by just the name of a foreign error."""
        self.note(outcome=Outcome.FAILED, error=type(error).__name__, finished_at=datetime.now(UTC))
        if isinstance(error, EmotionUdfError):
            self.note(outcome=outcome_of(error), exit_code=error.exit_code, error=str(error))
        return self.record


def _card(artifact: Artifact | None) -> str | None:
    """Return the model's card as it lies beside the weights."""
    files = [artifact.folder / name for name in _CARDS] if artifact else []
    return next((file.read_text(encoding="utf-8") for file in files if file.is_file()), None)


def pseudonyms_entry(pseudonyms: Pseudonyms | None) -> dict[str, str]:
    """Return the entry of `runs.versions` that tells one key of pseudonyms from another."""
    return {PSEUDONYMS: pseudonyms.mark} if pseudonyms else {}


def _versions() -> dict[str, str]:
    """Return the versions of what can change a result; the driver need not have what only workers use."""
    found = {"python": python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
