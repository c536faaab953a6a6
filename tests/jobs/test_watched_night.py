"""What the nightly job tells of its runs, of starts that never became one, and that it changes nothing of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emotion_udf.errors import GateError, InputError
from emotion_udf.jobs import score_feedback, watched_night
from emotion_udf.jobs.watched_night import WatchedNight
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.pipeline import PublishedInterrupt
from emotion_udf.nightly.record import RunRecorder
from emotion_udf.settings.monitoring import MonitoringSettings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import open_folder
from emotion_udf.window import Window
from tests.helpers.jobs import Ended, run_main
from tests.helpers.memory_warehouse import MemoryWarehouse
from tests.helpers.paths import ROOT
from tests.helpers.receiver import receiver

CONFIG = f"--config={ROOT / 'conf/nightly.toml'}"
DAY = "--date=2026-10-05"


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[], list[Any]]:
    """Return the lines of JSON that were written."""
    file = tmp_path / "nights.jsonl"
    return lambda: [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


@pytest.fixture
def warehouse(tmp_path: Path) -> MemoryWarehouse:
    return MemoryWarehouse(open_folder(str(tmp_path / "scratch")))


@pytest.fixture
def watched(night: NightSettings, tmp_path: Path) -> WatchedNight:
    watched = WatchedNight(tmp_path / "nowhere.toml", [])
    monitoring = MonitoringSettings(json_lines=str(tmp_path / "nights.jsonl"))
    watched.follow(night.model_copy(update={"monitoring": monitoring}))
    return watched


@pytest.fixture
def recorder(night: NightSettings, day: Window) -> RunRecorder:
    return RunRecorder(RunContext(night, day, run_id="r1"))


def test_a_published_run_is_told(
    watched: WatchedNight, warehouse: MemoryWarehouse, recorder: RunRecorder, lines: Callable[[], list[Any]]
) -> None:
    with watched.job(), watched.run(warehouse):
        watched.begun(recorder)
        recorder.note(rows_read=7)
        recorder.mark_published()
    watched.close()
    (line,) = lines()
    assert (line["outcome"], line["run_id"], line["rows_read"], line["error"]) == ("published", "r1", 7, None)


def test_a_run_that_failed_is_told_once(
    watched: WatchedNight, warehouse: MemoryWarehouse, recorder: RunRecorder, lines: Callable[[], list[Any]]
) -> None:
    def night() -> None:
        with watched.job(), watched.run(warehouse):
            watched.begun(recorder)
            raise GateError(str(recorder.mark_failed(GateError("expected gates to pass")).error))

    with pytest.raises(GateError):
        night()
    watched.close()
    assert [(line["outcome"], line["exit_code"], line["error"]) for line in lines()] == [
        ("refused", 4, "expected gates to pass")
    ]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InputError("expected a folder"), ("bad_input", 3, "expected a folder")),
        (ValueError("a message's text"), ("failed", 1, "ValueError")),
        (KeyboardInterrupt(), ("failed", 1, "KeyboardInterrupt")),
        (OSError(28, "No space left on device"), ("failed", 1, "expected a storage that takes and gives files, ")),
    ],
)
def test_what_ends_the_job_before_there_is_a_run_is_told(
    watched: WatchedNight, lines: Callable[[], list[Any]], error: BaseException, told: tuple[str, int, str]
) -> None:
    with pytest.raises(type(error)), watched.job():
        raise error
    watched.close()
    (line,) = lines()
    assert (line["outcome"], line["exit_code"]) == told[:2]
    assert line["error"].startswith(told[2])
    assert "run_id" not in line


def test_each_day_of_a_range_is_told(
    watched: WatchedNight,
    warehouse: MemoryWarehouse,
    night: NightSettings,
    day: Window,
    lines: Callable[[], list[Any]],
) -> None:
    def run_days() -> None:
        for number in range(3):
            with watched.run(warehouse):
                recorder = RunRecorder(RunContext(night, day, run_id=f"r{number}"))
                watched.begun(recorder)
                recorder.mark_failed(InputError("no file")) if number == 1 else recorder.mark_published()
        raise InputError("expected to publish 3 days, found 1 failing")

    with pytest.raises(InputError), watched.job():
        run_days()
    watched.close()
    assert [(line["run_id"], line["exit_code"]) for line in lines()] == [("r0", 0), ("r1", 3), ("r2", 0)]


def test_an_interruption_while_a_published_run_is_told_is_one_of_a_published_night(
    watched: WatchedNight, warehouse: MemoryWarehouse, recorder: RunRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watched_night, "_newest_release", interrupted)

    def night(is_published: bool) -> None:
        with watched.run(warehouse):
            watched.begun(recorder)
            if not is_published:
                recorder.mark_failed(InputError("no file"))
                raise InputError("no file")
            recorder.mark_published()

    with pytest.raises(InputError):
        night(is_published=False)
    with pytest.raises(PublishedInterrupt):
        night(is_published=True)


@pytest.mark.parametrize("broken", ["row", "release"])
def test_what_goes_wrong_in_telling_is_no_reason_to_fail(
    watched: WatchedNight,
    warehouse: MemoryWarehouse,
    recorder: RunRecorder,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    if broken == "row":
        monkeypatch.setattr(type(recorder.record), "row", fail)
    else:
        monkeypatch.setattr(warehouse, "release", fail)
    with watched.job(), watched.run(warehouse):
        watched.begun(recorder)
        recorder.mark_published()
    watched.close()


def job(*arguments: str) -> Ended:
    return run_main(score_feedback.main, [CONFIG, *arguments])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([DAY, "--set=gate.min_messages=many"], "gate.min_messages: input should be a valid integer"),
        (["--date=yesterday"], "YYYY-MM-DD"),
        ([DAY, "--force=nonsense"], "expected --force to name a gate"),
    ],
)
def test_wrong_settings_are_told_to_whom_the_settings_name(
    arguments: list[str], told: str, tmp_path: Path, lines: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver() as taken:
        monkeypatch.setenv("EMOTION_UDF_WEBHOOK_URL", taken.url)
        places = [f"--set=monitoring.json_lines={tmp_path}/nights.jsonl", "--set=monitoring.webhook=true"]
        places += [f"--set=monitoring.prometheus_file={tmp_path}/emotions.prom"]
        ended = job(*arguments, *places)
    assert ended.code == 2
    (line,), (body,) = lines(), taken.bodies
    assert (line["outcome"], line["exit_code"]) == ("bad_settings", 2)
    assert told in line["error"]
    assert told in body["text"]
    assert 'emotion_night_exit_code{night="emotions"} 2.0' in (tmp_path / "emotions.prom").read_text()


@pytest.mark.parametrize("wrong", ["monitoring.attempts=0", "monitoring.webhok=true", "nonsense"])
def test_settings_of_which_nothing_is_known_are_told_to_nobody(
    wrong: str, tmp_path: Path, lines: Callable[[], list[Any]]
) -> None:
    ended = job(DAY, f"--set=monitoring.json_lines={tmp_path}/nights.jsonl", f"--set={wrong}")
    assert (ended.code, lines()) == (2, [])


def test_a_server_that_is_down_changes_neither_exit_code_nor_message(tmp_path: Path) -> None:
    wrong = [DAY, "--set=gate.min_messages=many"]
    down = ["--set=monitoring.openlineage_url=http://127.0.0.1:1", "--set=monitoring.attempts=1"]
    told = [*down, "--set=monitoring.webhook=true", f"--set=monitoring.prometheus_file={tmp_path}/no/x.prom"]
    plain, watched = job(*wrong), job(*wrong, *told)
    assert (watched.code, watched.out) == (plain.code, plain.out)
    assert plain.err in watched.err
    for what in ("OpenLineage", "the webhook", "metrics for Prometheus"):
        assert f"{what}: not done: " in watched.err


def test_monitoring_changes_no_digest(night: NightSettings) -> None:
    told = night.model_copy(update={"monitoring": MonitoringSettings(json_lines="-")})
    assert told.digest() == night.digest()
