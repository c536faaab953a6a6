import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from emotion_udf.monitoring.json_lines import line_of, write_line
from tests.helpers.permissions import open_folder_for_all
from tests.helpers.small_disks import remount, small_disks
from tests.helpers.told import GATES, never_begun, published, recorded, refused


def test_a_line_has_the_row_of_runs_and_the_release() -> None:
    line = json.loads(line_of(published(), "ours"))
    run = recorded()
    assert set(run) - set(line) == {"event_date", "input_files", "model_card"}
    assert {key: line[key] for key in ("night", "outcome", "exit_code", "error", "release", "run_id")} == {
        "night": "ours",
        "outcome": "published",
        "exit_code": 0,
        "error": None,
        "release": 7,
        "run_id": "20261006T020000Z-aaaaaa",
    }
    assert (line["from_date"], line["finished_at"]) == ("2026-10-05", "2026-10-06T02:09:00+00:00")
    assert line["seconds"] == {"read": 1.5, "score": 20.25}
    assert [(host["host"], host["model_loads"]) for host in line["hosts"]] == [("node-1", 1), ("node-2", 1)]
    assert [gate["name"] for gate in line["gates"]] == [gate.name for gate in GATES]


def test_a_start_without_a_run_has_a_line_too() -> None:
    assert json.loads(line_of(never_begun(), "ours")) == {
        "night": "ours",
        "at": "2026-10-06T02:09:00+00:00",
        "outcome": "bad_settings",
        "exit_code": 2,
        "error": "expected a settings file at x, found none",
        "release": None,
    }


def test_a_line_is_a_line_and_json_whatever_happened() -> None:
    gates = [{"name": "label_drift", "passed": False, "value": float("nan"), "limit": float("inf"), "forced": False}]
    line = line_of(replace(refused(), run=recorded() | {"gates": gates}), "ours")
    assert "\n" not in line
    assert json.loads(line, parse_constant=pytest.fail)["gates"][0]["value"] == "nan"


def test_lines_are_added_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "nights.jsonl"
    for night in (published(), refused(), never_begun()):
        write_line(night, "ours", str(file))
    outcomes = [json.loads(line)["outcome"] for line in file.read_text().splitlines()]
    assert outcomes == ["published", "refused", "bad_settings"]


def test_a_minus_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_line(published(), "ours", "-")
    assert json.loads(capsys.readouterr().out)["release"] == 7


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to mount small disks")
def test_a_disk_that_is_full_takes_no_half_of_a_line() -> None:
    with open_folder_for_all() as folder, small_disks() as mount:
        file = mount(folder / "disk", "size=8k") / "nights.jsonl"
        file.write_text("{}\n" * 2_700)
        with pytest.raises(OSError, match="No space left"):
            write_line(published(), "ours", str(file))
        remount(file.parent, "size=64k")
        write_line(refused(), "ours", str(file))
        assert len([json.loads(line) for line in file.read_text().splitlines()]) == 2_701
