from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emotion_udf.nightly.context import new_run_id
from emotion_udf.storage import open_folder
from emotion_udf.tables.staging import staging_folder

RUN = "20261005T010203Z-abc123"


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


def test_folders_of_runs_killed_long_ago_go_too(tmp_path: Path) -> None:
    old = [fill(tmp_path / "_staging" / started(timedelta(days=days))) for days in (3, 400)]
    with staging_folder(open_folder(str(tmp_path / "_staging")), RUN):
        assert not any(folder.exists() for folder in old)


def test_folders_of_runs_that_may_still_run_stay(tmp_path: Path) -> None:
    young = [fill(tmp_path / "_staging" / started(timedelta(hours=hours))) for hours in (0, 1, 47)]
    with staging_folder(open_folder(str(tmp_path / "_staging")), RUN):
        pass
    assert all((folder / "part.parquet").exists() for folder in young)


@pytest.mark.parametrize("name", ["notes", "2020", "20200101", "2020-01-01", "20201399T000000Z-abc123"])
def test_folders_that_no_run_made_stay(tmp_path: Path, name: str) -> None:
    foreign = fill(tmp_path / "_staging" / name)
    with staging_folder(open_folder(str(tmp_path / "_staging")), RUN):
        pass
    assert (foreign / "part.parquet").exists()


def test_nothing_outside_the_staging_folder_is_touched(tmp_path: Path) -> None:
    table = fill(tmp_path / "emotion_labels" / "data" / started(timedelta(days=9)))
    with staging_folder(open_folder(str(tmp_path / "_staging")), RUN):
        pass
    assert (table / "part.parquet").exists()
