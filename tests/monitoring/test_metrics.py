"""The text file for Prometheus: what it says, what it carries on, and that nobody sees half of it."""

import os
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from emotion_udf.monitoring.metrics import LAST_DATE, LAST_SUCCESS, OUTCOMES, RELEASE, RELEASED, write_metrics
from emotion_udf.monitoring.night import Night
from emotion_udf.nightly.record import Outcome
from tests.helpers.paths import ROOT
from tests.helpers.permissions import open_folder_for_all
from tests.helpers.promtool import promtool
from tests.helpers.small_disks import remount, small_disks
from tests.helpers.told import DAY, ENDED, never_begun, published, refused

MIDNIGHT = 1_791_158_400  # of 2026-10-05, UTC


def told(file: Path) -> dict[tuple[str, ...], float]:
    """Return the values of a file by the metric's name and its labels but for the night's."""
    found = {}
    for family in text_string_to_metric_families(file.read_text()):
        for sample in family.samples:
            assert sample.labels["night"] == "ours"
            labels = [value for name, value in sample.labels.items() if name != "night"]
            found[(sample.name, *labels)] = sample.value
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "emotions.prom"


def test_a_published_night_is_told_whole(file: Path) -> None:
    write_metrics(published(), "ours", str(file))
    outcomes = {("emotion_night_outcome", outcome): float(outcome == "published") for outcome in OUTCOMES}
    assert told(file) == outcomes | {
        ("emotion_night_last_run_timestamp_seconds",): ENDED.timestamp(),
        ("emotion_night_exit_code",): 0,
        ("emotion_night_duration_seconds",): 540,
        ("emotion_night_step_duration_seconds", "read"): 1.5,
        ("emotion_night_step_duration_seconds", "score"): 20.25,
        ("emotion_night_rows", "read"): 1_000,
        ("emotion_night_rows", "labelled"): 988,
        ("emotion_night_rows", "quarantined"): 12,
        ("emotion_night_texts", "scored"): 600,
        ("emotion_night_texts", "reused"): 300,
        ("emotion_night_files", "read"): 1,
        ("emotion_night_files", "refused"): 1,
        ("emotion_night_input_bytes",): 4_096,
        ("emotion_night_tokens",): 18_000,
        ("emotion_night_tokens_per_second",): 900,
        ("emotion_night_model_loads",): 2,
        ("emotion_night_model_load_duration_seconds",): 6.5,
        ("emotion_night_tasks_tried_again",): 1,
        ("emotion_gate_value", "quarantined_row_share"): 0.012,
        ("emotion_gate_value", "label_drift"): 0.21,
        ("emotion_gate_value", "canary_change"): 0.3,
        ("emotion_gate_limit", "quarantined_row_share"): 0.05,
        ("emotion_gate_limit", "label_drift"): 0.15,
        ("emotion_gate_limit", "fewest_of_weekday"): 0.5,
        ("emotion_gate_limit", "canary_change"): 0.1,
        ("emotion_gate_passed", "quarantined_row_share"): 1,
        ("emotion_gate_passed", "label_drift"): 0,
        ("emotion_gate_passed", "fewest_of_weekday"): 1,
        ("emotion_gate_passed", "canary_change"): 1,
        ("emotion_gate_forced", "quarantined_row_share"): 0,
        ("emotion_gate_forced", "label_drift"): 0,
        ("emotion_gate_forced", "fewest_of_weekday"): 0,
        ("emotion_gate_forced", "canary_change"): 1,
        (LAST_SUCCESS,): ENDED.timestamp(),
        (LAST_DATE,): MIDNIGHT,
        (RELEASE,): 7,
        (RELEASED,): ENDED.timestamp(),
    }


def test_prometheus_takes_the_file(file: Path) -> None:
    write_metrics(published(), "ours", str(file))
    assert promtool("check", "metrics", text=file.read_text()) == ""


def test_the_page_names_every_metric(file: Path) -> None:
    write_metrics(published(), "ours", str(file))
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(emotion_(?:night|gate|release)_\w+)", page)) == {name for name, *_ in told(file)}


def test_every_outcome_has_a_line() -> None:
    assert {outcome.value for outcome in Outcome} == set(OUTCOMES)


@pytest.mark.parametrize("night", [refused(), never_begun()], ids=["refused", "never begun"])
def test_a_failed_night_carries_the_last_success_on(file: Path, night: Night) -> None:
    write_metrics(published(), "ours", str(file))
    later = replace(night, at=ENDED + timedelta(days=1), release=None)
    for _ in range(3):
        write_metrics(later, "ours", str(file))
    found = told(file)
    assert found[("emotion_night_last_run_timestamp_seconds",)] == (ENDED + timedelta(days=1)).timestamp()
    assert found[("emotion_night_exit_code",)] == later.exit_code
    assert found[("emotion_night_outcome", "published")] == 0
    carried = {
        (LAST_SUCCESS,): ENDED.timestamp(),
        (LAST_DATE,): MIDNIGHT,
        (RELEASE,): 7,
        (RELEASED,): ENDED.timestamp(),
    }
    assert {key: found[key] for key in carried} == carried


def test_a_first_night_that_fails_knows_no_success(file: Path) -> None:
    write_metrics(never_begun(), "ours", str(file))
    found = told(file)
    assert found[("emotion_night_exit_code",)] == 2
    assert {LAST_SUCCESS, LAST_DATE, RELEASE, "emotion_night_rows"}.isdisjoint(name for name, *_ in found)


def test_a_backfill_makes_no_date_newer(file: Path) -> None:
    write_metrics(published(), "ours", str(file))
    write_metrics(published(day=date(2026, 9, 1)), "ours", str(file))
    assert told(file)[(LAST_DATE,)] == MIDNIGHT
    write_metrics(published(day=DAY + timedelta(days=1)), "ours", str(file))
    assert told(file)[(LAST_DATE,)] == MIDNIGHT + 86_400


@pytest.mark.parametrize("content", [b"nonsense {", b"\xff\xfe", b""])
def test_a_file_that_cannot_be_read_is_replaced(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    write_metrics(refused(), "ours", str(file))
    assert told(file)[(RELEASE,)] == 6


def test_another_nights_success_is_not_ours(file: Path) -> None:
    write_metrics(published(), "theirs", str(file))
    write_metrics(never_begun(), "ours", str(file))
    assert (LAST_SUCCESS,) not in told(file)


def test_who_reads_sees_a_whole_file(file: Path) -> None:
    write_metrics(published(), "ours", str(file))
    with file.open() as reader:
        write_metrics(never_begun(), "ours", str(file))
        assert "emotion_night_rows" in reader.read()
    assert os.listdir(file.parent) == [file.name]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to mount small disks")
@pytest.mark.parametrize("options", ["size=4k", "ro"])
def test_a_file_that_cannot_be_written_stays(options: str) -> None:
    with open_folder_for_all() as folder, small_disks() as mount:
        file = mount(folder / "disk", "size=64k") / "emotions.prom"
        write_metrics(never_begun(), "ours", str(file))
        before = file.read_bytes()
        remount(file.parent, options)
        with pytest.raises(OSError, match=r"No space left|Read-only"):
            write_metrics(published(), "ours", str(file))
        assert file.read_bytes() == before
        assert os.listdir(file.parent) == [file.name]
