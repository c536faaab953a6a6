import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.errors import (
    DeviceError,
    EmotionUdfError,
    GateError,
    InputError,
    ModelError,
    UsageError,
    WindowHeldError,
)
from emotion_udf.gates import GateResult
from emotion_udf.nightly.context import RunContext, new_run_id
from emotion_udf.nightly.record import Outcome, RunRecord, RunRecorder
from emotion_udf.schemas import runs_schema
from emotion_udf.settings.nightly import InputSettings, NightSettings
from emotion_udf.window import Window
from tests.helpers.messages import DAY, NOON

SECRET = "i hate my neighbour"  # noqa: S105


@pytest.fixture
def run(night: NightSettings, day: Window) -> RunRecorder:
    return RunRecorder(RunContext(night, day, started_at=NOON, run_id="20261005T120000Z-abc123"))


def test_a_run_is_named_for_its_start_in_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    assert re.fullmatch(r"20261005T120000Z-[0-9a-f]{6}", new_run_id(datetime(2026, 10, 5, 14, tzinfo=berlin)))
    assert len({new_run_id(NOON) for _ in range(100)}) == 100


def test_a_run_makes_its_own_name(night: NightSettings, day: Window) -> None:
    assert RunContext(night, day, started_at=NOON).run_id.startswith("20261005T120000Z-")


def test_a_row_has_the_columns_of_the_table_in_their_order(run: RunRecorder) -> None:
    assert list(run.record.row()) == runs_schema().fieldNames()


def test_no_required_column_of_a_row_is_null_however_early_the_run_failed(run: RunRecorder) -> None:
    row = run.mark_failed(InputError("expected input")).row()
    assert [field.name for field in runs_schema() if not field.nullable and row[field.name] is None] == []


def test_a_published_run_says_so(run: RunRecorder) -> None:
    published = run.mark_published()
    row = published.row()
    assert (row["outcome"], row["exit_code"], row["error"]) == ("published", 0, None)
    assert row["finished_at"] == published.finished_at
    assert row["finished_at"].tzinfo is UTC


@pytest.mark.parametrize(
    ("error", "outcome", "exit_code"),
    [
        (UsageError("no"), Outcome.BAD_SETTINGS, 2),
        (ModelError("no"), Outcome.BAD_SETTINGS, 2),
        (DeviceError("no"), Outcome.BAD_SETTINGS, 2),
        (InputError("no"), Outcome.BAD_INPUT, 3),
        (GateError("no"), Outcome.REFUSED, 4),
        (WindowHeldError("no"), Outcome.WINDOW_HELD, 5),
        (EmotionUdfError("no"), Outcome.FAILED, 1),
    ],
)
def test_a_failed_run_says_how_in_our_own_words(
    run: RunRecorder, error: EmotionUdfError, outcome: Outcome, exit_code: int
) -> None:
    row = run.mark_failed(error).row()
    assert (row["outcome"], row["exit_code"], row["error"]) == (outcome.value, exit_code, "no")


@pytest.mark.parametrize("error", [ValueError(SECRET), KeyboardInterrupt(SECRET), MemoryError(), SystemExit(3)])
def test_of_a_foreign_error_only_the_name_is_recorded(run: RunRecorder, error: BaseException) -> None:
    row = run.mark_failed(error).row()
    assert (row["outcome"], row["exit_code"], row["error"]) == ("failed", 1, type(error).__name__)
    assert SECRET not in str(row)


def test_the_window_stands_under_its_last_day(night: NightSettings) -> None:
    row = RunRecord(RunContext(night, Window(DAY, date(2026, 10, 7), "Europe/Berlin"))).row()
    assert (row["event_date"], row["from_date"], row["to_date"]) == (date(2026, 10, 7), DAY, date(2026, 10, 7))
    assert row["timezone"] == "Europe/Berlin"


def test_a_row_records_what_the_steps_counted(run: RunRecorder) -> None:
    run.note(rows_read=10, rows_quarantined=3, distinct_texts=6, rows_labelled=7, refused_files=1)
    run.note(input_files=["file:///lake/a.parquet"], input_bytes=99, seconds={"read": 0.5})
    run.note(gates=[GateResult("unaccounted_rows", True, 0, 0, "look here")], finished_at=NOON + timedelta(seconds=4))
    row = run.record.row()
    counted = ("rows_read", "rows_quarantined", "distinct_texts", "rows_labelled", "refused_files", "input_bytes")
    assert [row[name] for name in counted] == [10, 3, 6, 7, 1, 99]
    assert row["rows_per_s"] == 2.5
    assert row["seconds"] == {"read": 0.5}
    assert row["input_files"] == ["file:///lake/a.parquet"]
    assert row["gates"] == [{"name": "unaccounted_rows", "passed": True, "value": 0, "limit": 0, "forced": False}]


def test_a_row_names_the_settings_and_the_versions(run: RunRecorder, night: NightSettings) -> None:
    row = run.record.row()
    assert row["settings_digest"] == night.digest()
    assert row["input"] == night.input.path
    assert {"python", "emotion-udf", "pyspark", "deltalake", "torch"} <= set(row["versions"])


def test_a_table_is_named_where_the_input_is_one(night: NightSettings, day: Window) -> None:
    from_table = night.model_copy(update={"input": InputSettings(table="lake.feedback")})
    assert RunRecord(RunContext(from_table, day)).row()["input"] == "lake.feedback"


def test_a_row_names_the_model_by_its_digests_and_card(run: RunRecorder, tmp_path: Path) -> None:
    artifact = open_artifact(ArtifactSource())
    run.note(artifact=replace(artifact, folder=tmp_path))
    row = run.record.row()
    assert (row["model_fingerprint"], row["weights_sha256"]) == (artifact.fingerprint, artifact.weights_sha256)
    assert row["model_card"] is None
    (tmp_path / "README.md").write_text("the readme – ü", encoding="utf-8")
    assert run.record.row()["model_card"] == "the readme – ü"
    (tmp_path / "MODEL_CARD.md").write_text("the card", encoding="utf-8")
    assert run.record.row()["model_card"] == "the card"


def test_a_run_that_took_no_time_by_the_clock_has_a_row(run: RunRecorder) -> None:
    run.note(finished_at=NOON)
    assert run.record.row()["rows_per_s"] >= 0
