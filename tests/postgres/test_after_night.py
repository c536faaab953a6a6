import logging
import sys
from datetime import date

import pytest

from emotion_udf.postgres import copy
from emotion_udf.postgres.after_night import copy_after_night
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.copies import require_same, run_night


@pytest.fixture
def settings(night: NightSettings, database: PostgresSettings) -> NightSettings:
    return night.model_copy(update={"postgres": database})


def test_a_release_is_copied_where_the_settings_name_a_database(
    settings: NightSettings, warehouse: DeltaWarehouse, root: str, database: PostgresSettings
) -> None:
    run_night(warehouse, "r1", [date(2026, 10, 5)])
    assert copy_after_night(settings) == "Release 1 is in PostgreSQL: 1 date replaced (12 rows), 1 run added"
    require_same(root, database)


def test_nothing_is_copied_unasked(night: NightSettings) -> None:
    assert copy_after_night(night) is None


def test_a_server_that_is_down_is_a_warning(
    night: NightSettings, warehouse: DeltaWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    run_night(warehouse, "r1", [date(2026, 10, 5)])
    down = night.model_copy(update={"postgres": PostgresSettings(connection="host=/nowhere")})
    with caplog.at_level(logging.WARNING):
        assert copy_after_night(down) is None
    assert "nothing is copied to PostgreSQL: expected a connection to PostgreSQL, found none" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), SystemExit(3), ValueError("a message's text")])
def test_nothing_that_happens_to_the_copy_fails_the_night(
    night: NightSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(copy, "copy_release", fail)

    assert copy_after_night(night.model_copy(update={"postgres": PostgresSettings()})) is None
    assert f"nothing is copied to PostgreSQL ({type(error).__name__}); the night is published" in caplog.text
    assert "a message's text" not in caplog.text


def test_a_missing_package_is_named(
    night: NightSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "emotion_udf.postgres.copy")
    monkeypatch.setitem(sys.modules, "psycopg", None)

    assert copy_after_night(night.model_copy(update={"postgres": PostgresSettings()})) is None
    assert "pip install 'emotion-udf[postgres]'" in caplog.text
