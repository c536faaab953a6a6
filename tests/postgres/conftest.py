import secrets
from pathlib import Path

import pytest

from emotion_udf.settings.postgres import PostgresSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.postgres import Postgres


@pytest.fixture
def database(postgres: Postgres) -> PostgresSettings:
    """A schema of the test's own, which does not exist yet."""
    return PostgresSettings(connection=postgres.connection, schema_name=f"test_{secrets.token_hex(4)}")


@pytest.fixture
def root(tmp_path: Path) -> str:
    return str(tmp_path / "warehouse")


@pytest.fixture
def warehouse(root: str) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(root))
