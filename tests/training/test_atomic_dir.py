from pathlib import Path

import pytest

from emotion_udf.errors import UsageError
from emotion_udf.training.atomic_dir import atomic_dir, refuse_existing


class StoppedError(Exception):
    """Whatever stops the writing."""


def test_the_folder_appears_once_all_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with atomic_dir(folder) as partial:
        assert list(partial.iterdir()) == []
        (partial / "card.md").write_text("text")
        (partial / "deep").mkdir()
        assert not folder.exists()
        assert partial.stat().st_dev == tmp_path.stat().st_dev  # so that it can be renamed
    assert sorted(path.name for path in folder.iterdir()) == ["card.md", "deep"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_folders_above_are_made(tmp_path: Path) -> None:
    with atomic_dir(tmp_path / "a" / "b" / "model"):
        pass
    assert (tmp_path / "a" / "b" / "model").is_dir()


@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt, UsageError])
def test_nothing_is_left_when_the_writing_stops(tmp_path: Path, error: type[BaseException]) -> None:
    def stop() -> None:
        with atomic_dir(tmp_path / "model") as partial:
            (partial / "half.txt").write_text("half")
            raise error

    with pytest.raises(error):
        stop()
    assert list(tmp_path.iterdir()) == []


def make_file(place: Path) -> None:
    place.write_text("mine")


def make_folder(place: Path) -> None:
    place.mkdir()
    (place / "notes.txt").write_text("mine")


@pytest.mark.parametrize("make", [make_file, make_folder, Path.mkdir])
def test_what_exists_is_refused_and_kept(tmp_path: Path, make: object) -> None:
    place = tmp_path / "model"
    make(place)  # type: ignore[operator]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError) as caught, atomic_dir(place):
        pytest.fail("nothing should be written")
    assert str(caught.value) == (
        f"expected no folder at {place}, found one; remove it or name another output folder"
    )  # fmt: skip
    with pytest.raises(UsageError):
        refuse_existing(place)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_not_there_is_not_refused(tmp_path: Path) -> None:
    refuse_existing(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_what_appeared_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "model"

    def write() -> None:
        with atomic_dir(folder) as partial:
            (partial / "card.md").write_text("text")
            make_folder(folder)

    with pytest.raises((OSError, UsageError)):
        write()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_folder_may_be_read_by_whoever_may_read_others(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with atomic_dir(tmp_path / "model"):
        pass
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "other").stat().st_mode
