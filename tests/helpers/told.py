"""Nights as they are told."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from emotion_udf.errors import GateError
from emotion_udf.gates import GateResult
from emotion_udf.monitoring.night import Night
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.record import RunRecorder
from emotion_udf.settings.nightly import InputSettings, NightSettings, WarehouseSettings
from emotion_udf.tables.warehouse import Release
from emotion_udf.window import Window
from emotion_udf.workers.report import TaskReport

DAY = date(2026, 10, 5)
STARTED = datetime(2026, 10, 6, 2, tzinfo=UTC)
ENDED = STARTED + timedelta(minutes=9)
GATES = [
    GateResult("quarantined_row_share", True, 0.012, 0.05, "look"),
    GateResult("label_drift", False, 0.21, 0.15, "look"),
    GateResult("fewest_of_weekday", True, None, 0.5, "nothing to compare with"),
    GateResult("canary_change", True, 0.3, 0.1, "look", forced=True),
]
REFUSED = GateError("expected every gate to pass, found 1 that did not:\n  label_drift: 0.21, at most 0.15; look")
CANARY = [TaskReport("node-1", 10, 11, 5.0, False, 8.0, 3.0, 1, 2.5, 0.5, 2_000, 2_000, "torch fp32 on cpu")]
TASKS = [
    TaskReport("node-1", 10, 11, 10.0, False, 20.0, 10.0, 0, 0.0, 0.0, 9_000, 9_000, "torch fp32 on cpu"),
    TaskReport("node-2", 20, 21, 10.0, True, 24.0, 14.0, 1, 4.0, 0.5, 9_000, 10_000, "torch fp32 on cpu"),
]
SETTINGS = NightSettings(
    input=InputSettings(path="/lake/feedback", dimensions={"source": "channel"}),
    warehouse=WarehouseSettings(root="/warehouse/emotions"),
)


def recorded(
    error: BaseException | None = None, day: date = DAY, run_id: str = "20261006T020000Z-aaaaaa"
) -> dict[str, Any]:
    """Return the row of `runs` of a night, published unless an error ended it."""
    recorder = RunRecorder(RunContext(SETTINGS, Window(day, day), STARTED, run_id))
    recorder.note(rows_read=1_000, rows_labelled=988, rows_quarantined=12, distinct_texts=900, reused_texts=300)
    recorder.note(seconds={"read": 1.5, "score": 20.25}, input_files=["file:///lake/feedback/a.parquet"], gates=GATES)
    recorder.note(input_bytes=4_096, refused_files=1, canary_tasks=CANARY, tasks=TASKS)
    recorder.mark_failed(error) if error else recorder.mark_published()
    recorder.note(finished_at=ENDED)
    return recorder.record.row()


def published(day: date = DAY, run_id: str = "20261006T020000Z-aaaaaa") -> Night:
    """A night whose dates are in the tables."""
    run = recorded(None, day, run_id)
    versions = {"emotion_labels": 41, "emotion_daily": 40, "quarantine": 39, "emotion_terms": 38}
    return _night(run, Release(7, run["run_id"], ENDED, versions))


def refused() -> Night:
    """A night that a gate has stopped."""
    return _night(recorded(REFUSED), Release(6, "20261005T020000Z-000000", ENDED - timedelta(days=1), {}))


def never_begun() -> Night:
    """A start that ended before there was a run."""
    return Night(ENDED, "bad_settings", 2, "expected a settings file at x, found none")


def going_on() -> Night:
    """A night that has begun."""
    return replace(published(), at=STARTED, outcome=None, exit_code=None, release=None)


def _night(run: dict[str, Any], release: Release) -> Night:
    return Night(run["finished_at"], run["outcome"], run["exit_code"], run["error"], SETTINGS, run, release)
