import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emotion_udf.nightly.context import new_run_id
from emotion_udf.storage import open_folder
from emotion_udf.tables import staging as staging_module
from emotion_udf.tables.staging import dead_runs, mark_folder, staging_folder

RUN = "20261005T010203Z-abc123"


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging_module, "_MARKED_WITHIN", timedelta(seconds=0.5))


def fill(folder: Path) -> Path:
    """Make a folder with a file in it."""
    folder.mkdir(parents=True)
    (folder / "part.parquet").write_text("a message")
    return folder


def started(ago: timedelta) -> str:
    return new_run_id(datetime.now(UTC) - ago)


def test_the_runs_own_folder_goes_at_the_end(tmp_path: Path) -> None:
    with staging_folder(open_folder(str(tmp_path / "_staging")), RUN) as staging:
        assert staging.path == str(tmp_path / "_staging" / RUN)
        fill(Path(staging.path) / "checked")
    assert not Path(staging.path).exists()


def test_the_runs_own_folder_goes_when_the_run_fails(tmp_path: Path) -> None:
    def interrupted() -> None:
        with staging_folder(open_folder(str(tmp_path / "_staging")), RUN) as staging:
            fill(Path(staging.path) / "checked")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (tmp_path / "_staging" / RUN).exists()


def test_a_run_that_staged_nothing_ends_well(tmp_path: Path) -> None:
    with staging_folder(open_folder(str(tmp_path / "new" / "_staging")), RUN):
        pass
    assert not (tmp_path / "new" / "_staging" / RUN).exists()


def test_a_run_that_goes_on_is_not_dead(tmp_path: Path) -> None:
    root = open_folder(str(tmp_path))
    with staging_folder(root, RUN):
        assert dead_runs(root) == []


def test_a_killed_run_is_dead_at_once(tmp_path: Path) -> None:
    run_id = started(timedelta(0))
    script = (
        "import sys, time\n"
        "from emotion_udf.storage import open_folder\n"
        "from emotion_udf.tables.staging import dead_runs, mark_folder, staging_folder\n"
        "with staging_folder(open_folder(sys.argv[1]), sys.argv[2]):\n"
        "    print('staged', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), run_id], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "staged\n"
        assert dead_runs(open_folder(str(tmp_path))) == []
        process.kill()
    assert dead_runs(open_folder(str(tmp_path))) == [run_id]


def test_a_process_of_the_same_number_is_another_one(tmp_path: Path) -> None:
    root = open_folder(str(tmp_path))
    with staging_folder(root, RUN) as staging:
        mark = Path(staging.path) / "_driver.json"
        mark.write_text(json.dumps(json.loads(mark.read_text()) | {"process_start": "1"}))
        assert dead_runs(root) == [RUN]


@pytest.mark.parametrize(("ago", "dead"), [(timedelta(hours=47), False), (timedelta(days=3), True)])
def test_of_a_run_elsewhere_only_the_age_tells(tmp_path: Path, ago: timedelta, dead: bool) -> None:
    run_id = started(ago)
    mark = {"machine": "another one", "boot": "", "process": 1, "process_start": "1"}
    (fill(tmp_path / run_id) / "_driver.json").write_text(json.dumps(mark))
    assert dead_runs(open_folder(str(tmp_path))) == ([run_id] if dead else [])


def test_a_restart_of_the_machine_ends_all_its_runs(tmp_path: Path) -> None:
    root = open_folder(str(tmp_path))
    with staging_folder(root, RUN) as staging:
        mark = Path(staging.path) / "_driver.json"
        mark.write_text(json.dumps(json.loads(mark.read_text()) | {"boot": "another"}))
        assert dead_runs(root) == [RUN]


@pytest.mark.parametrize("mark", ["", '{"mach', "[]", None])
def test_a_run_that_was_killed_before_it_had_made_its_mark_is_dead(tmp_path: Path, mark: str | None) -> None:
    run_id = started(timedelta(0))
    folder = fill(tmp_path / run_id)
    if mark is not None:
        (folder / "_driver.json").write_text(mark)
    a_minute_ago = time.time() - 60
    os.utime(folder, (a_minute_ago, a_minute_ago))
    assert dead_runs(open_folder(str(tmp_path))) == [run_id]


def test_a_run_that_makes_its_mark_at_this_moment_is_alive(tmp_path: Path) -> None:
    root = open_folder(str(tmp_path))
    (tmp_path / RUN).mkdir()
    mark_soon = threading.Timer(0.2, mark_folder, (root / RUN,))
    mark_soon.start()
    assert dead_runs(root) == []
    mark_soon.join()


@pytest.mark.parametrize("name", ["notes", "2020", "20200101", "2020-01-01", "20201399T000000Z-abc123"])
def test_folders_that_no_run_made_stay(tmp_path: Path, name: str) -> None:
    fill(tmp_path / name)
    assert dead_runs(open_folder(str(tmp_path))) == []


def test_without_a_staging_root_no_run_is_dead(tmp_path: Path) -> None:
    assert dead_runs(open_folder(str(tmp_path / "none"))) == []
