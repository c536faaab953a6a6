"""A disk that is full, a read-only file system, a folder that may not be used: one message that says what to do."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.jobs import Submit, query
from tests.helpers.small_disks import Mount, remount, small_disks
from tests.helpers.tweets import DAYS, tweets_settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root, to mount small disks"),
]

DAY = f"--date={DAYS[0]}"


@pytest.fixture
def mount() -> Iterator[Mount]:
    with small_disks() as mounted:
        yield mounted


@pytest.fixture(scope="module")
def warehouse(tweets: Path, score_feedback: Submit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one night."""
    root = tmp_path_factory.mktemp("first") / "w"
    assert score_feedback(*tweets_settings(tweets, root), DAY).code == 0
    return root


def require_one_message(output: str, *facts: str) -> None:
    (line,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: expected a storage that takes and gives files, found ")
    assert [fact for fact in facts if fact not in line] == []
    assert "Py4J" not in output
    assert "Traceback" not in output


def test_a_staging_disk_that_is_full(tweets: Path, score_feedback: Submit, mount: Mount, tmp_path: Path) -> None:
    disk = mount(tmp_path / "staging", "size=16k")
    ended = score_feedback(*tweets_settings(tweets, tmp_path / "w"), DAY, f"--set=staging.root={disk}")
    assert ended.code == 1, ended.output
    require_one_message(ended.output, "no space left", "make room")
    assert not list(disk.iterdir())
    assert [path.name for path in (tmp_path / "w").glob("*/data/*")] == []
    assert query(tmp_path / "w", "SELECT outcome, exit_code FROM runs") == [("failed", 1)]


@pytest.mark.parametrize("size", ["24k", "100k"])
def test_a_warehouse_disk_that_is_full(
    tweets: Path, score_feedback: Submit, warehouse: Path, mount: Mount, tmp_path: Path, size: str
) -> None:
    """So much is left of it, which ends at different steps."""
    disk = mount(tmp_path / "disk", "size=8m")
    shutil.copytree(warehouse, disk / "w")
    used = shutil.disk_usage(disk).used
    remount(disk, f"size={used + int(size[:-1]) * 1024}")
    staging = f"--set=staging.root={tmp_path / 'staging'}"
    ended = score_feedback(*tweets_settings(tweets, disk / "w"), DAY, staging)
    assert ended.code in (0, 1), ended.output
    if ended.code:
        require_one_message(ended.output, "no space left", "make room")

    remount(disk, "size=8m")
    assert score_feedback(*tweets_settings(tweets, disk / "w"), DAY, staging).code == 0
    dates = query(disk / "w", "SELECT event_date, count(DISTINCT run_id) FROM emotion_labels GROUP BY 1")
    assert dates == [(DAYS[0], 1)]


def test_a_warehouse_that_is_read_only(
    tweets: Path, score_feedback: Submit, warehouse: Path, mount: Mount, tmp_path: Path
) -> None:
    disk = mount(tmp_path / "disk", "size=8m")
    shutil.copytree(warehouse, disk / "w")
    remount(disk, "ro")
    ended = score_feedback(*tweets_settings(tweets, disk / "w"), DAY, f"--set=staging.root={tmp_path / 'staging'}")
    assert ended.code == 1, ended.output
    require_one_message(ended.output, "a folder that cannot be made", "not read-only")
