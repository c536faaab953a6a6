"""Whole nights with constant scores over any files: good ones are published, counts reconcile, no text stays behind."""

import json
import shutil
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from emotion_udf.jobs.command_line import exit_code_of, log_to_stderr
from emotion_udf.nightly import pipeline
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.nightly.report import print_report
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RUNS, Reason
from emotion_udf.settings.nightly import GateSettings, InputSettings, NightSettings, WarehouseSettings, WindowSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.opening import open_warehouse
from emotion_udf.window import Window
from tests.fuzz.conftest import NIGHTS, TALLY
from tests.fuzz.inputs import DAY, SECRET, WrittenFile, add_strangers, written_files
from tests.helpers.constant_scores import constant_scores
from tests.helpers.jobs import Ended, run_main
from tests.helpers.messages import messages

ANYTHING_GOES = GateSettings(
    max_quarantined_share=1,
    max_refused_file_share=1,
    max_canary_error_share=1,
    max_canary_change=1,
    allow_empty_dates=True,
)
DEFAULT_LIMITS = GateSettings(max_canary_error_share=1, max_canary_change=1)
MOST_FILES = 24


@st.composite
def nights(draw: st.DrawFn, folder: Path, gate: GateSettings) -> tuple[NightSettings, Window]:
    """Draw the settings of a night over `folder / "in"`, and its days."""
    zone = draw(st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati"]))
    read = InputSettings(
        path=str(folder / "in"),
        dimensions=draw(st.sampled_from([{}, {"source": "source"}, {"source": "source", "more": "day"}])),
        date_partition=draw(st.sampled_from([None, "dt"])),
        max_text_chars=50,
    )
    warehouse = WarehouseSettings(root=str(folder / "out"), keep_text=draw(st.booleans()))
    last = DAY + timedelta(days=draw(st.integers(0, 2)))
    settings_ = NightSettings(input=read, warehouse=warehouse, window=WindowSettings(timezone=zone), gate=gate)
    return settings_, Window(DAY, last, zone)


def fresh(folder: Path) -> Path:
    """Return a folder with an empty `in`; hypothesis gives all examples of a test the same one."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "in").mkdir(parents=True)
    return folder


def write_good_file(root: Path, date_partition: str | None) -> WrittenFile:
    """Write a file that has nothing wrong, its times in the same day of all zones."""
    times = pa.array([datetime(2026, 10, 5, 5)] * 2, pa.timestamp("us", "UTC"))
    path = root / ("good.parquet" if date_partition is None else f"{date_partition}={DAY}/good.parquet")
    path.parent.mkdir(exist_ok=True)
    pq.write_table(messages(2, id=pa.array(["good 1", "good 2"]), created_at=times), path)
    stored = times.cast(pa.int64()).to_pylist()
    return WrittenFile(path, stored, "us", is_instant=True, must_be_read=True, is_damaged=False, day=None)


def run_job(spark: SparkSession, night: NightSettings, window: Window) -> Ended:
    """Run a night as the job does, but in this session."""

    def job() -> None:
        warehouse = open_warehouse(night.warehouse, spark)
        print_report(run_night(spark, night, window, warehouse), warehouse)

    def main(_: Sequence[str]) -> int:
        log_to_stderr(debug=False)
        return exit_code_of(job, debug=False)

    return run_main(main, [])


def table(night: NightSettings, name: str) -> list[dict[str, Any]]:
    folder = Path(night.warehouse.root) / name
    return list(DeltaTable(folder).to_pyarrow_table().to_pylist()) if folder.exists() else []


def check_what_stays(night: NightSettings, ended: Ended, run: dict[str, Any]) -> None:
    """Check that no words of a message are left where they do not belong."""
    assert SECRET not in ended.output
    assert SECRET not in str(run)
    staging = Path(night.staging_root)
    assert not (list(staging.iterdir()) if staging.exists() else [])
    if ended.code:
        warehouse = DeltaWarehouse(open_folder(night.warehouse.root))
        data = [warehouse.data_folder(name, run["run_id"]) for name in (LABELS, DAILY, QUARANTINE)]
        assert not [folder.path for folder in data if folder.exists()]


def check_counts(night: NightSettings, window: Window, files: list[WrittenFile], run: dict[str, Any]) -> None:
    """Check a published night against what is known of its files."""
    labels, refused = table(night, LABELS), table(night, QUARANTINE)
    refused_rows = [row for row in refused if row["raw"] is not None]
    refused_files = {row["file"]: row["reasons"] for row in refused if row["raw"] is None}
    assert run["rows_read"] == len(labels) + len(refused_rows) == run["rows_labelled"] + run["rows_quarantined"]
    assert sum(row["feedback_count"] for row in table(night, DAILY)) == len(labels)
    assert len(refused_files) == run["refused_files"]
    read = set(run["input_files"])
    assert read.isdisjoint(refused_files)
    for file in files:
        if file.must_be_read:
            assert file.uri not in refused_files, refused_files[file.uri]
            assert file.uri in read or not file.rows_of(window), "a good file was left out"
    if not any(file.is_damaged and file.uri in read for file in files):
        expected = {file.uri: file.rows_of(window) for file in files if file.uri in read}
        assert sum(expected.values()) == run["rows_read"], expected
    check_rows(window, labels, refused_rows)


def check_rows(window: Window, labels: list[dict[str, Any]], refused: list[dict[str, Any]]) -> None:
    """Check each row of the tables."""
    assert {"good 1", "good 2"} <= {row["feedback_id"] for row in labels}
    assert len({(row["event_date"], row["feedback_id"]) for row in labels}) == len(labels)
    assert all(row["feedback_id"].strip() and row["created_at"] and row["emotion"] == "joy" for row in labels)
    assert all(_is_day_of(row["event_date"], window) for row in (*labels, *refused))
    reasons = {reason.value for reason in Reason}
    assert all(row["reasons"] and set(row["reasons"]) <= reasons and row["file"] for row in refused)
    assert all(isinstance(json.loads(row["raw"]), dict) and len(row["raw"]) < 200_000 for row in refused)


def _is_day_of(day: date, window: Window) -> bool:
    return window.first <= day <= window.last


def count(code: int, files: list[WrittenFile], run: dict[str, Any]) -> None:
    """Keep what `make fuzz` tells at its end."""
    TALLY.update({"nights": 1, f"exit code {code}": 1, "files": len(files), "refused files": run["refused_files"]})
    TALLY.update({"rows written": sum(len(file.times) for file in files), "rows read": run["rows_read"]})
    TALLY.update({"rows quarantined": run["rows_quarantined"], "damaged files": sum(f.is_damaged for f in files)})


@pytest.fixture(autouse=True)
def without_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "scorer_of", constant_scores)


@pytest.mark.slow
@settings(NIGHTS)
@given(data=st.data())
def test_a_good_file_is_published_whatever_lies_beside_it(
    spark: SparkSession, tmp_path: Path, data: st.DataObject
) -> None:
    folder = fresh(tmp_path / "night")
    night, window = data.draw(nights(folder, ANYTHING_GOES))
    files = data.draw(written_files(folder / "in", MOST_FILES, night.input.date_partition is not None))
    files.append(write_good_file(folder / "in", night.input.date_partition))
    add_strangers(folder / "in")

    ended = run_job(spark, night, window)
    (run,) = table(night, RUNS)
    count(ended.code, files, run)
    assert (ended.code, run["exit_code"]) == (0, 0), ended.output
    check_what_stays(night, ended, run)
    check_counts(night, window, files, run)


@pytest.mark.slow
@settings(NIGHTS)
@given(data=st.data())
def test_a_night_without_a_good_file_ends_with_a_code_of_ours(
    spark: SparkSession, tmp_path: Path, data: st.DataObject
) -> None:
    folder = fresh(tmp_path / "night")
    night, window = data.draw(nights(folder, data.draw(st.sampled_from([ANYTHING_GOES, DEFAULT_LIMITS]))))
    files = data.draw(written_files(folder / "in", 6, night.input.date_partition is not None))

    ended = run_job(spark, night, window)
    (run,) = table(night, RUNS)
    count(ended.code, files, run)
    assert ended.code == run["exit_code"]
    assert ended.code in (0, 3, 4), ended.output
    check_what_stays(night, ended, run)
