"""A publishing process that is killed at each call which changes a table's log, or finds the disk full from there on.

`make faults` takes every call; `make test-slow` takes some of them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from emotion_udf.schemas import DAILY, LABELS
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from tests.helpers.paths import ROOT
from tests.helpers.releases import D5, D6, publish_night, released, same_in_all

# Each takes about two seconds.
SOME = 6
WAYS = ("before", "after", "half", "full")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler: apt-get install gcc libc6-dev"),
]


@pytest.fixture(scope="session")
def killpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("killpoint") / "killpoint.so"
    source = Path(__file__).with_name("killpoint.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.fixture(scope="session")
def yesterday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one night over two days."""
    root = tmp_path_factory.mktemp("yesterday") / "warehouse"
    publish_night(DeltaWarehouse(open_folder(str(root))), "r1", [D5, D6])
    return root


def publish(root: Path, killpoint: Path, **kill: str) -> subprocess.CompletedProcess[bytes]:
    """Publish a night of the second day in a process group of its own."""
    script = [sys.executable, "-m", "tests.faults.publish_night", str(root), "r2", str(D6)]
    environment = os.environ | {"LD_PRELOAD": str(killpoint), "KILL_MATCH": "_delta_log"} | kill
    return subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, start_new_session=True, check=False)


def count_calls(yesterday: Path, killpoint: Path, folder: Path, way: str) -> int:
    """Count the calls that change a log while one night is published."""
    root = folder / "counted"
    shutil.copytree(yesterday, root)
    done = publish(root, killpoint, KILL_COUNT=str(folder / "count"), KILL_WHEN=way)
    assert done.returncode == 0, done.stderr.decode()
    return int((folder / "count").read_text())


def moments(calls: int) -> list[int]:
    every = list(range(1, calls + 1))
    return every if os.environ.get("EMOTION_UDF_FAULTS") == "all" else every[:: max(1, calls // SOME)]


@pytest.mark.parametrize("way", WAYS)
def test_readers_see_one_whole_night_and_the_next_run_succeeds_unaided(
    yesterday: Path, killpoint: Path, tmp_path: Path, way: str
) -> None:
    calls = count_calls(yesterday, killpoint, tmp_path, way)
    killed = 0
    for at in moments(calls):
        root = tmp_path / f"at-{at}"
        shutil.copytree(yesterday, root)
        done = publish(root, killpoint, KILL_AT=str(at), KILL_WHEN=way)
        killed += done.returncode != 0
        warehouse = DeltaWarehouse(open_folder(str(root)))
        shown = released(warehouse)
        assert shown in (same_in_all([(D5, "r1"), (D6, "r1")]), same_in_all([(D5, "r1"), (D6, "r2")])), (way, at)

        warehouse.repair()
        publish_night(warehouse, "r3", [D6])
        assert released(warehouse) == same_in_all([(D5, "r1"), (D6, "r3")]), (way, at)
        for table in (LABELS, DAILY):
            assert len(DeltaTable(warehouse.address(table)).file_uris()) == 2
    print(f"{way}: killed {killed} times at {len(moments(calls))} of {calls} calls, nothing lost")
    assert killed
