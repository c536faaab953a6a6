from pathlib import Path

import pytest

from emotion_udf.errors import UsageError
from emotion_udf.monitoring import attempts
from emotion_udf.monitoring.attempts import UndeliveredError
from emotion_udf.monitoring.night import Night
from emotion_udf.monitoring.webhook import URL_VARIABLE, tell_webhook
from emotion_udf.settings.monitoring import MonitoringSettings
from tests.helpers.receiver import MUTE, receiver
from tests.helpers.told import never_begun, published, refused

SETTINGS = MonitoringSettings(name="ours", webhook=True, request_timeout_s=20.0)


def impatient(seconds: float) -> MonitoringSettings:
    return SETTINGS.model_copy(update={"request_timeout_s": seconds})


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "_FIRST_PAUSE_S", 0.0)


def test_a_refused_night_is_told_with_its_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as taken:
        monkeypatch.setenv(URL_VARIABLE, f"{taken.url}/T0/secret\n")
        tell_webhook(refused(), SETTINGS)
    ((path, headers, body),) = taken.posted
    assert (path, headers["Content-Type"]) == ("/T0/secret", "application/json")
    assert headers["User-Agent"] == "emotion-udf"
    assert body == {
        "text": "ours: the night of 2026-10-05 to 2026-10-05, run 20261006T020000Z-aaaaaa, ended as refused (exit code "
        "4)\n  expected every gate to pass, found 1 that did not:\n  label_drift: 0.21, at most 0.15; look",
        "night": "ours",
        "outcome": "refused",
        "exit_code": 4,
        "run_id": "20261006T020000Z-aaaaaa",
        "from_date": "2026-10-05",
        "to_date": "2026-10-05",
        "failed_gates": ["label_drift"],
    }


def test_a_start_without_a_run_is_told(tmp_path: Path) -> None:
    with receiver() as taken:
        (tmp_path / "address").write_text(f"{taken.url}/x\n")
        tell_webhook(never_begun(), SETTINGS.model_copy(update={"webhook_url_file": str(tmp_path / "address")}))
    (body,) = taken.bodies
    assert body["text"].startswith("ours: the night ended as bad_settings (exit code 2)\n")
    assert (body["run_id"], body["failed_gates"]) == (None, [])


@pytest.mark.parametrize("night", [published(), Night(published().at, "window_held", 5, "another run")])
def test_a_night_that_needs_nobody_is_not_told(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as taken:
        monkeypatch.setenv(URL_VARIABLE, taken.url)
        tell_webhook(night, SETTINGS)
    assert taken.posted == []


@pytest.mark.parametrize("first", [500, 503, 429, MUTE])
def test_a_server_that_is_not_well_is_asked_again(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(first, first, 200) as taken:
        monkeypatch.setenv(URL_VARIABLE, taken.url)
        tell_webhook(refused(), impatient(1.0) if first == MUTE else SETTINGS)
        assert len(taken.posted) == 3


@pytest.mark.parametrize(
    ("answer", "asked", "found"),
    [(500, 3, "HTTP 500"), (404, 1, "HTTP 404"), (302, 1, "HTTP 302"), (MUTE, 3, r"no answer \((Timeout|URL)Error\)")],
)
def test_what_is_not_taken_is_an_error_without_the_address(
    answer: int, asked: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiver(answer) as taken:
        monkeypatch.setenv(URL_VARIABLE, f"{taken.url}/T0/secret")
        with pytest.raises(UndeliveredError, match=f"expected the server to take it, found {found}") as refused_by:
            tell_webhook(refused(), impatient(0.2) if answer == MUTE else SETTINGS)
        assert len(taken.posted) == asked
    assert "secret" not in str(refused_by.value)
    assert "127.0.0.1" not in str(refused_by.value)


def test_a_server_that_is_down_is_asked_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as taken:
        monkeypatch.setenv(URL_VARIABLE, taken.url)
    with pytest.raises(UndeliveredError, match=r"no answer \(URLError\)"):
        tell_webhook(refused(), SETTINGS)


@pytest.mark.parametrize("address", ["", "file:///etc/passwd", "ftp://x", "x"])
def test_an_address_has_to_be_one_of_the_web(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, address)
    with pytest.raises(UsageError, match=f"begins with http:// or https:// in the environment variable {URL_VARIABLE}"):
        tell_webhook(refused(), SETTINGS)
    with pytest.raises(UsageError, match=r"in the file /nowhere .*, found none \(FileNotFoundError\)"):
        tell_webhook(refused(), SETTINGS.model_copy(update={"webhook_url_file": "/nowhere"}))
