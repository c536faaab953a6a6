"""Nothing waits for ever: a store that does not go on ends a job with its place and a remedy."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from emotion_udf.errors import EmotionUdfError, StorageError
from emotion_udf.ingest import failures
from emotion_udf.ingest.delta_input import live_paths
from emotion_udf.ingest.listing import list_files
from emotion_udf.jobs.maintain_tables import main as maintain
from emotion_udf.refusals import refusal_of
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.staging import mark_folder
from tests.helpers.facts import unstated
from tests.helpers.jobs import run_main
from tests.helpers.nights import write_file
from tests.helpers.s3 import KEYS, S3Server
from tests.helpers.stalled import silent_server, stalling_proxy


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """A place in a store that never answers, asked for a second."""
    monkeypatch.setattr(failures, "PAUSES", (0.0,))
    with silent_server() as url:
        for name, value in (KEYS | {"AWS_ENDPOINT_URL": url}).items():
            monkeypatch.setenv(name, value)
        yield open_folder("s3a://lake/x", timeout_s=1)


pytestmark = pytest.mark.slow


def ends(call: Callable[[], Any]) -> str:
    """Return what a job would say of how a call ends, or that it does not end."""
    said: list[str] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            known = error if isinstance(error, EmotionUdfError) else refusal_of(error)
            said.append(str(known) if isinstance(known, StorageError) else repr(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(120)
    return said[0] if said else "it does not end, or well"


@pytest.mark.parametrize(
    "call",
    [
        lambda folder: folder.info(),
        lambda folder: folder.children(),
        lambda folder: folder.remove(),
        mark_folder,
        lambda folder: DeltaWarehouse(folder).release(),
        lambda folder: DeltaWarehouse(folder).repair(),
    ],
)
def test_a_store_that_never_answers_is_named_with_a_remedy(silent: Folder, call: Callable[[Folder], Any]) -> None:
    said = ends(lambda: call(silent))
    assert unstated(["no answer at ", "/lake", "AWS_ENDPOINT_URL", "timeout_s"], said) == [], said


@pytest.mark.parametrize("call", [list_files, live_paths])
def test_an_input_that_never_answers_is_not_called_damaged(silent: Folder, call: Callable[[Folder], Any]) -> None:
    said = ends(lambda: call(silent))
    assert unstated(["no answer", "2 times at ", "lake/x", "start the job again"], said) == [], said


def test_a_job_ends_with_the_place_and_the_remedy(silent: Folder, tmp_path: Path) -> None:
    config = tmp_path / "nightly.toml"
    config.write_text(f'[input]\npath = "/in"\n[warehouse]\nroot = "{silent.uri}"\ntimeout_s = 1\n')
    ended = run_main(maintain, ["--config", str(config), "show-releases"])
    assert ended.code == 1
    assert unstated(["error: ", "no answer at http://127.0.0.1:", "/lake/x/emotion_labels"], ended.err) == [], ended.err
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in ended.output


def test_a_store_that_stops_in_the_middle_of_a_body_is_given_up(
    server: S3Server, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(open_folder(root), pa.table({"x": [str(number) * 20 for number in range(100_000)]}), "big.parquet")
    with stalling_proxy(server.port, after=20_000) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        folder = open_folder(root, timeout_s=1)
        said = ends(lambda: pq.read_table(f"{folder.path}/big.parquet", filesystem=folder.system))
    assert unstated(["no answer at s3://lake/", "big.parquet"], said) == [], said


def test_a_table_of_a_store_that_stops_in_the_middle_is_given_up(
    server: S3Server, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = DeltaWarehouse(open_folder(root))
    rows = pa.table({"x": [str(number) * 20 for number in range(100_000)]})
    write_deltalake(tables.address("t"), rows, storage_options=dict(tables.root.delta_options))
    with stalling_proxy(server.port, after=20_000) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        slow = DeltaWarehouse(open_folder(root, timeout_s=1))
        said = ends(lambda: slow.at("t").to_pyarrow_table())
    assert unstated([f"no answer at {url}", "timeout_s"], said) == [], said
