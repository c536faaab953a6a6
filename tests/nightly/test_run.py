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
from emotion_udf.gates.counts import GateResult, NightCounts
from emotion_udf.nightly.run import Outcome, Run, new_run_id
from emotion_udf.schemas import runs_schema
from emotion_udf.settings.nightly import InputSettings, NightSettings
from emotion_udf.window import Window
from tests.helpers.messages import DAY, NOON

SECRET = "i hate my neighbour"  # noqa: S105


@pytest.fixture
def run(night: NightSettings, day: Window) -> Run:
    return Run(night, day, started_at=NOON, run_id="20261005T120000Z-abc123")


def test_a_run_is_named_for_its_start_in_utc() -> None:
    berlin = timezone(timedelta(hours=2))
    assert re.fullmatch(r"20261005T120000Z-[0-9a-f]{6}", new_run_id(datetime(2026, 10, 5, 14, tzinfo=berlin)))
    assert len({new_run_id(NOON) for _ in range(100)}) == 100


def test_a_run_makes_its_own_name(night: NightSettings, day: Window) -> None:
    run = Run(night, day, started_at=NOON)
    assert run.run_id.startswith("20261005T120000Z-")


def test_a_row_has_the_columns_of_the_table_in_their_order(run: Run) -> None:
    assert list(run.row()) == runs_schema().fieldNames()


def test_no_required_column_of_a_row_is_null_however_early_the_run_failed(run: Run) -> None:
    run.fail(InputError("expected input"))
    row = run.row()
    assert [field.name for field in runs_schema() if not field.nullable and row[field.name] is None] == []


def test_a_published_run_says_so(run: Run) -> None:
    run.publish()
    row = run.row()
    assert (row["outcome"], row["exit_code"], row["error"]) == ("published", 0, None)
    assert row["finished_at"] == run.finished_at
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
    run: Run, error: EmotionUdfError, outcome: Outcome, exit_code: int
) -> None:
    run.fail(error)
    row = run.row()
    assert (row["outcome"], row["exit_code"], row["error"]) == (outcome.value, exit_code, "no")


@pytest.mark.parametrize("error", [ValueError(SECRET), KeyboardInterrupt(SECRET), MemoryError(), SystemExit(3)])
def test_of_a_foreign_error_only_the_name_is_recorded(run: Run, error: BaseException) -> None:
    run.fail(error)
    row = run.row()
    assert (row["outcome"], row["exit_code"], row["error"]) == ("failed", 1, type(error).__name__)
    assert SECRET not in str(row)


def test_the_window_stands_under_its_last_day(night: NightSettings) -> None:
    row = Run(night, Window(DAY, date(2026, 10, 7), "Europe/Berlin")).row()
    assert (row["event_date"], row["from_date"], row["to_date"]) == (date(2026, 10, 7), DAY, date(2026, 10, 7))
    assert row["timezone"] == "Europe/Berlin"


def test_a_row_records_what_the_steps_counted(run: Run) -> None:
    run.counts = NightCounts(read=10, quarantined=3, distinct_texts=6, labelled=7, refused_files=1)
    run.input_files, run.input_bytes = ["file:///lake/a.parquet"], 99
    run.seconds = {"read": 0.5}
    run.gates = [GateResult("nothing_lost", True, "read 10 = labelled 7 + quarantined 3")]
    run.finished_at = NOON + timedelta(seconds=4)
    row = run.row()
    counted = ("rows_read", "rows_quarantined", "distinct_texts", "rows_labelled", "refused_files", "input_bytes")
    assert [row[name] for name in counted] == [10, 3, 6, 7, 1, 99]
    assert row["rows_per_s"] == 2.5
    assert row["seconds"] == {"read": 0.5}
    assert row["input_files"] == ["file:///lake/a.parquet"]
    assert row["gates"] == [{"name": "nothing_lost", "passed": True, "detail": "read 10 = labelled 7 + quarantined 3"}]


def test_a_row_names_the_settings_and_the_versions(run: Run, night: NightSettings) -> None:
    row = run.row()
    assert row["settings_digest"] == night.digest()
    assert row["input"] == night.input.path
    assert {"python", "emotion-udf", "pyspark", "deltalake", "torch"} <= set(row["versions"])


def test_a_table_is_named_where_the_input_is_one(night: NightSettings, day: Window) -> None:
    from_table = night.model_copy(update={"input": InputSettings(table="lake.feedback")})
    assert Run(from_table, day).row()["input"] == "lake.feedback"


def test_a_row_names_the_model_by_its_digests_and_card(run: Run, tmp_path: Path) -> None:
    artifact = open_artifact(ArtifactSource())
    run.artifact = replace(artifact, folder=tmp_path)
    row = run.row()
    assert (row["model_fingerprint"], row["weights_sha256"]) == (artifact.fingerprint, artifact.weights_sha256)
    assert row["model_card"] is None
    (tmp_path / "README.md").write_text("the readme – ü", encoding="utf-8")
    assert run.row()["model_card"] == "the readme – ü"
    (tmp_path / "MODEL_CARD.md").write_text("the card", encoding="utf-8")
    assert run.row()["model_card"] == "the card"


def test_a_run_that_took_no_time_by_the_clock_has_a_row(run: Run) -> None:
    run.finished_at = run.started_at
    assert run.row()["rows_per_s"] >= 0
