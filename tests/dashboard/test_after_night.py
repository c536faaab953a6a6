import logging
import sys
from pathlib import Path

import pytest

from emotion_udf.dashboard import build
from emotion_udf.dashboard.after_night import build_after_night
from emotion_udf.settings.nightly import DashboardSettings, NightSettings, WarehouseSettings
from tests.helpers.made_up import Feedback, write_release


@pytest.fixture
def settings(night: NightSettings, tmp_path: Path) -> NightSettings:
    write_release(tmp_path / "warehouse", Feedback(days=2))
    return night.model_copy(update={"dashboard": DashboardSettings(out=str(tmp_path / "page.html"), title="Ours")})


def test_the_page_is_built_where_the_settings_ask_for_it(settings: NightSettings, tmp_path: Path) -> None:
    assert build_after_night(settings) == tmp_path / "page.html"
    assert "<title>Ours</title>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_no_page_is_built_unasked(night: NightSettings, tmp_path: Path) -> None:
    assert build_after_night(night) is None
    assert not list(tmp_path.glob("**/*.html"))


def test_a_page_that_cannot_be_built_is_a_warning(settings: NightSettings, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = settings.model_copy(update={"warehouse": WarehouseSettings(root="/nowhere")})

    with caplog.at_level(logging.WARNING):
        assert build_after_night(elsewhere) is None

    assert "the dashboard is not built: expected the tables of the nightly job below /nowhere" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), SystemExit(3), ValueError("a message's text")])
def test_nothing_that_happens_to_the_page_fails_the_night(
    settings: NightSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(build, "build_dashboard", fail)

    assert build_after_night(settings) is None
    assert f"the dashboard is not built ({type(error).__name__}); the night is published" in caplog.text
    assert "a message's text" not in caplog.text


def test_missing_packages_are_named(
    settings: NightSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "emotion_udf.dashboard.build")
    monkeypatch.setitem(sys.modules, "duckdb", None)

    assert build_after_night(settings) is None
    assert "pip install 'emotion-udf[dashboard]'" in caplog.text


def test_the_page_changes_no_digest_of_the_settings(settings: NightSettings, night: NightSettings) -> None:
    assert settings.digest() == night.digest()
