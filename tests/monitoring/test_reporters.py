"""Whatever happens to those who are told: nothing raises, and nobody waits for longer than the settings say."""

import json
import logging
import os
import sys
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from emotion_udf.monitoring import attempts, reporters
from emotion_udf.monitoring.reporters import Reporters
from emotion_udf.monitoring.webhook import URL_VARIABLE
from emotion_udf.settings.monitoring import MonitoringSettings
from tests.helpers.permissions import open_folder_for_all
from tests.helpers.receiver import DRIPPING, MUTE, receiver
from tests.helpers.small_disks import remount, small_disks
from tests.helpers.told import going_on, published, refused


def all_of_them(folder: Path, url: str, **other: Any) -> MonitoringSettings:
    return MonitoringSettings(
        prometheus_file=str(folder / "emotions.prom"),
        json_lines=str(folder / "nights.jsonl"),
        openlineage_url=url,
        webhook=True,
        **{"wait_s": 20.0, "request_timeout_s": 5.0, "attempts": 1} | other,
    )


def tell(settings: MonitoringSettings) -> None:
    told = Reporters(settings)
    told.begun(going_on())
    told.ended(refused())
    told.close()


def test_nobody_is_told_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Reporters(MonitoringSettings()).any_at_begin
    for module in ("prometheus_client", "openlineage", "openlineage.client"):
        monkeypatch.setitem(sys.modules, module, None)
    tell(MonitoringSettings())


def test_all_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with receiver() as taken:
        monkeypatch.setenv(URL_VARIABLE, f"{taken.url}/hook")
        tell(all_of_them(tmp_path, taken.url))
    assert 'emotion_night_outcome{night="emotions",outcome="refused"} 1.0' in (tmp_path / "emotions.prom").read_text()
    assert [json.loads(line)["outcome"] for line in (tmp_path / "nights.jsonl").read_text().splitlines()] == ["refused"]
    assert sorted(path for path, _, _ in taken.posted) == ["/api/v1/lineage", "/api/v1/lineage", "/hook"]
    assert [body["eventType"] for path, _, body in taken.posted if path != "/hook"] == ["START", "FAIL"]
    assert caplog.text == ""


@pytest.mark.parametrize("answer", [MUTE, DRIPPING])
def test_a_server_that_does_not_come_to_an_end_is_left(
    answer: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver(answer) as taken:
        monkeypatch.setenv(URL_VARIABLE, taken.url)
        tell(all_of_them(tmp_path, taken.url, wait_s=1.0, request_timeout_s=60.0))
        for file in (tmp_path / "emotions.prom", tmp_path / "nights.jsonl"):
            while not file.is_file():  # these wait for no server, only for their turn on a busy machine
                sleep(0.05)
    for who in ("OpenLineage", "the webhook"):
        assert f"{who}: not done within 1 s, left undone" in caplog.text


@pytest.mark.parametrize("answer", [500, 404, None])
def test_a_server_that_takes_nothing_is_a_warning(
    answer: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attempts, "_FIRST_PAUSE_S", 0.0)
    with receiver(answer or 200) as taken:
        url = taken.url
        monkeypatch.setenv(URL_VARIABLE, f"{url}/secret")
        if answer:
            tell(all_of_them(tmp_path, url, attempts=2))
    if not answer:  # it is gone
        tell(all_of_them(tmp_path, url, attempts=2))
    found = f"found HTTP {answer}" if answer else "found no answer"
    for who in ("OpenLineage", "the webhook"):
        assert f"{who}: not done: expected the server to take it, {found}" in caplog.text
    assert "secret" not in caplog.text
    assert (tmp_path / "emotions.prom").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to mount small disks")
@pytest.mark.parametrize(("options", "found"), [("size=4k", "no space left"), ("ro", "a read-only file system")])
def test_a_disk_that_refuses_is_a_warning(options: str, found: str, caplog: pytest.LogCaptureFixture) -> None:
    with open_folder_for_all() as folder, small_disks() as mount:
        disk = mount(folder / "disk", "size=64k")
        (disk / "fill").write_bytes(b"x" * 4_000)
        remount(disk, options)
        tell(MonitoringSettings(prometheus_file=f"{disk}/x.prom", json_lines=f"{disk}/x.jsonl", wait_s=20.0))
    for what in ("metrics for Prometheus", "the line of JSON"):
        assert f"{what}: not done: expected a storage that takes and gives files, found {found}" in caplog.text


def test_a_folder_that_is_not_there_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    tell(MonitoringSettings(prometheus_file="/nowhere/x.prom", json_lines="/nowhere/x.jsonl"))
    assert caplog.text.count("not done: No such file or directory: /nowhere/x.") == 2


def test_missing_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in ("emotion_udf.monitoring.metrics", "emotion_udf.monitoring.lineage"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    for module in ("prometheus_client", "requests"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    tell(all_of_them(tmp_path, "http://127.0.0.1:1"))
    assert "metrics for Prometheus: no prometheus_client; pip install 'emotion-udf[monitoring]'" in caplog.text
    assert "OpenLineage: no requests; pip install 'emotion-udf[monitoring]'" in caplog.text
    assert "the webhook: not done: expected an address that begins with http:// or https://" in caplog.text
    assert (tmp_path / "nights.jsonl").is_file()


@pytest.mark.parametrize("error", [MemoryError(), SystemExit(3), KeyboardInterrupt(), ValueError("a message's text")])
def test_nothing_that_happens_to_them_is_raised(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(reporters, "_write_line", fail)
    with caplog.at_level(logging.WARNING):
        told = Reporters(MonitoringSettings(json_lines=str(tmp_path / "x")))
        told.ended(published())
        told.ended(published())
        told.close()
    assert caplog.text.count(f"the line of JSON: not done: {type(error).__name__}") == 2
    assert "a message's text" not in caplog.text
