"""What both clients are told of a store, without one."""

import os

import pytest

from emotion_udf.errors import UsageError
from emotion_udf.object_store import client_options, open_s3
from emotion_udf.storage import open_folder


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


def test_the_environment_names_the_server_and_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    system, path, options = open_s3("s3://lake/a/b/", 7)
    assert (system.region, path) == ("eu-central-1", "lake/a/b")
    assert options == client_options(7) | {
        "aws_region": "eu-central-1",
        "aws_conditional_put": "etag",
        "aws_endpoint_url": "http://127.0.0.1:9",
        "allow_http": "true",
    }


def test_the_more_precise_variable_and_the_uri_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.org")
    _, _, options = open_s3("s3://lake", 7)
    assert (options["aws_endpoint_url"], options["allow_http"]) == ("https://s3.example.org", "false")
    _, _, options = open_s3("s3://lake?endpoint_override=here:1&scheme=http&region=x", 7)
    assert (options["aws_endpoint_url"], options["aws_region"]) == ("http://here:1", "x")


def test_a_server_of_ones_own_needs_no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert open_s3("s3://lake", 7)[2]["aws_region"] == "us-east-1"


def test_what_is_below_a_folder_has_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    folder = open_folder("s3a://lake/w", timeout_s=7)
    assert (folder / "runs").delta_options == folder.delta_options
    assert folder.delta_options["timeout"] == "7s"
    assert "127.0.0.1" not in repr(folder)


def test_a_disk_has_no_options() -> None:
    assert open_folder("/lake").delta_options == {}


@pytest.mark.parametrize("uri", ["s3://lake/x?connect_timeout=1", "s3:///x", "s3://lake?regoin=x"])
def test_an_option_that_is_not_known_is_refused(uri: str) -> None:
    with pytest.raises(UsageError, match="region"):
        open_s3(uri, 7)
