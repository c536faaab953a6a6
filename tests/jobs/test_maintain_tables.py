"""The maintenance job, from its command line to the tables."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from emotion_udf.jobs.maintain_tables import main
from emotion_udf.nightly.context import RunContext, new_run_id
from emotion_udf.nightly.record import RunRecord
from emotion_udf.schemas import LABELS, QUARANTINE
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.staging import staging_folder
from emotion_udf.window import Window
from tests.helpers.nights import NIGHT, publish_night, row_of, same_in_all, shown_rows, stage_night, stage_rows

D5, D6 = (date(2026, 10, day) for day in (5, 6))
CHANGING = ["rollback --to 1", "compact", "vacuum --older-than 1", "forget --ids {ids}"]


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


@pytest.fixture
def staging(warehouse: DeltaWarehouse) -> Path:
    return Path(warehouse.root.path) / "_staging"


@pytest.fixture(autouse=True)
def ids(tmp_path: Path) -> None:
    """Name a message that is there, as all rows of `row_of` are called, and another."""
    (tmp_path / "ids.txt").write_text("x\r\n\nid-of-nobody\n")


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def maintain(tmp_path: Path, command: str) -> int:
    config = tmp_path / "nightly.toml"
    config.write_text(f'[input]\npath = "{tmp_path}/input"\n[warehouse]\nroot = "/nowhere"\n')
    root = f"warehouse.root={tmp_path}/warehouse"
    return main(["--config", str(config), "--set", root, *command.replace("{ids}", f"{tmp_path}/ids.txt").split()])


def files_below(root: str) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in Path(root).rglob("*") if file.is_file()}


def three_nights(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    publish_night(warehouse, "r2", [D5, D6])
    publish_night(warehouse, "r3", [D5])


@pytest.mark.parametrize("command", ["show-releases", "show-runs", *CHANGING, "drop-scores --model abc"])
def test_without_a_warehouse_every_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert maintain(tmp_path, command) == 2
    assert str(tmp_path / "warehouse") in capsys.readouterr().err
    assert not (tmp_path / "warehouse").exists()


@pytest.mark.parametrize("command", ["show-releases", "show-runs", *CHANGING])
def test_tables_of_a_catalog_are_not_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    catalog = "--set warehouse.format=catalog --set warehouse.namespace=lake.emotions"
    assert maintain(tmp_path, f"{catalog} {command}") == 2
    told = capsys.readouterr().err
    assert f'expected warehouse.format "delta" for emotion-maintain {command.split()[0]}, found "catalog"' in told
    assert not (tmp_path / "warehouse").exists()


def test_scores_of_a_catalogs_nights_are_below_the_root(
    tmp_path: Path, warehouse: DeltaWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = "--set warehouse.format=catalog --set warehouse.namespace=lake.emotions"
    assert maintain(tmp_path, f"{catalog} drop-scores --model abc") == 2
    assert "expected the fingerprint of a model that text_scores has (none), found 'abc'" in capsys.readouterr().err
    assert warehouse.open(LABELS) is None


@pytest.mark.parametrize("command", CHANGING)
def test_a_dry_run_changes_no_file(tmp_path: Path, warehouse: DeltaWarehouse, command: str) -> None:
    three_nights(warehouse)
    stage_night(warehouse, "lost", [D5])
    before = files_below(warehouse.root.path)
    assert maintain(tmp_path, f"{command} --dry-run") == 0
    assert files_below(warehouse.root.path) == before


@pytest.mark.parametrize("command", CHANGING)
def test_a_command_leaves_no_mark(tmp_path: Path, warehouse: DeltaWarehouse, staging: Path, command: str) -> None:
    three_nights(warehouse)
    assert maintain(tmp_path, command) == 0
    assert list(staging.iterdir()) == []


def test_releases_are_listed(tmp_path: Path, warehouse: DeltaWarehouse, capsys: pytest.CaptureFixture[str]) -> None:
    three_nights(warehouse)
    assert maintain(tmp_path, "rollback --to 1") == 0
    assert maintain(tmp_path, "compact") == 0
    warehouse.data_folder(QUARANTINE, "r3").remove()
    capsys.readouterr()
    assert maintain(tmp_path, "show-releases") == 0
    lines = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    listed = [[cell.strip() for cell in line] for line in lines]
    assert [(line[0], line[2], line[3], line[5]) for line in listed] == [
        ("1", "night", "2026-10-05", "all there"),
        ("2", "night", "2026-10-05 … 2026-10-06", "all there"),
        ("3", "night", "2026-10-05", "1 gone"),
        ("4", "rollback", "2026-10-05", "all there"),
    ]
    assert maintain(tmp_path, "show-releases --last 1") == 0
    assert "night" not in capsys.readouterr().out


def test_runs_are_listed(
    tmp_path: Path, warehouse: DeltaWarehouse, night: NightSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_night(warehouse, "r1", [D5])
    for number in range(3):
        started = datetime(2026, 10, 6, number, tzinfo=UTC)
        warehouse.append_run(RunRecord(RunContext(night, Window(D5, D6), started, f"run-{number}")).row())
    assert maintain(tmp_path, "show-runs --last 2") == 0
    shown = capsys.readouterr().out
    assert "run-0" not in shown
    assert shown.index("run-1") < shown.index("run-2")
    assert "2026-10-05 … 2026-10-06" in shown
    assert "failed (1)" in shown


def test_rollback_makes_a_release(
    tmp_path: Path, warehouse: DeltaWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    three_nights(warehouse)
    assert maintain(tmp_path, "rollback --to 1") == 0
    assert shown_rows(warehouse) == same_in_all([(D5, "r1"), (D6, "r2")])
    release = warehouse.release()
    assert release is not None
    assert release.run_id.endswith("-rollback")
    assert f"release {release.number}" in capsys.readouterr().out
    assert maintain(tmp_path, "rollback --to 1") == 0
    assert warehouse.release() == release, "there is nothing left to do"


def test_an_unknown_release_is_wrong_usage(
    tmp_path: Path, warehouse: DeltaWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    three_nights(warehouse)
    assert maintain(tmp_path, "rollback --to 12") == 2
    assert "1 to 3" in capsys.readouterr().err


def test_a_release_that_was_vacuumed_is_wrong_usage(
    tmp_path: Path, warehouse: DeltaWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    three_nights(warehouse)
    warehouse.data_folder(LABELS, "r1").remove()
    assert maintain(tmp_path, "rollback --to 1") == 2
    assert "vacuum" in capsys.readouterr().err


def test_vacuum_deletes_old_files_of_no_release(
    tmp_path: Path, warehouse: DeltaWarehouse, staging: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    three_nights(warehouse)
    killed = new_run_id(datetime.now(UTC) - timedelta(days=5))
    (staging / killed).mkdir(parents=True)
    for run_id in ("lost", killed):
        stage_night(warehouse, run_id, [D5])
    then = time.time() - 3 * 86_400
    for file in Path(warehouse.root.path).rglob("*.parquet"):
        os.utime(file, (then, then))
    assert maintain(tmp_path, "vacuum --older-than 2") == 0
    left = {file.parts[-3] for file in Path(warehouse.root.path).rglob("part.parquet")}
    assert left == {"r1", "r2", "r3"}, "the releases are of today"
    assert not (staging / killed).exists()
    shown = capsys.readouterr().out
    assert all(table in shown for table in NIGHT)


def test_compaction_makes_a_release_of_the_same_rows(tmp_path: Path, warehouse: DeltaWarehouse) -> None:
    stage_night(warehouse, "r1", [D5])
    first = next(Path(warehouse.data_folder(LABELS, "r1").path).rglob("*.parquet"))
    (first.parent / "twin.parquet").write_bytes(first.read_bytes())
    publish_night(warehouse, "r1", [D5])
    before = shown_rows(warehouse)
    assert maintain(tmp_path, "compact") == 0
    assert shown_rows(warehouse) == before
    release = warehouse.release()
    assert release is not None
    assert (release.number, release.run_id) == (2, "r1")


def test_forget_erases_from_the_tables(
    tmp_path: Path, warehouse: DeltaWarehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_night(warehouse, "r1", [D5])
    stage_rows(warehouse, LABELS, "r2", {D5: [row_of(LABELS, "r2"), row_of(LABELS, "r2", feedback_id="other")]})
    publish_night(warehouse, "r2", [D5], rows_on=[])
    assert maintain(tmp_path, "forget --ids {ids}") == 0
    assert shown_rows(warehouse)[LABELS] == [(D5, "r2")]
    shown = capsys.readouterr()
    assert "id-of-nobody" not in shown.out + shown.err
    assert not list(Path(warehouse.data_folder(LABELS, "r1").path).rglob("*.parquet"))
    written = {folder.name for folder in (Path(warehouse.address(LABELS)) / "data").iterdir()} - {"r1", "r2"}
    assert [name for name in written if name.endswith("-forget")] == [], "what has a mark's name goes after a kill"
    assert len(written) == 1


@pytest.mark.parametrize("content", [None, b"", b"\n \n", b"\xff\xfe"])
def test_a_file_of_ids_that_cannot_be_used_is_wrong_usage(
    tmp_path: Path, warehouse: DeltaWarehouse, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    publish_night(warehouse, "r1", [D5])
    (tmp_path / "ids.txt").unlink()
    if content is not None:
        (tmp_path / "ids.txt").write_bytes(content)
    assert maintain(tmp_path, "forget --ids {ids}") == 2
    assert "ids.txt" in capsys.readouterr().err


def test_an_unknown_model_is_wrong_usage(tmp_path: Path, warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r1", [D5])
    assert maintain(tmp_path, "drop-scores --model abc") == 2
    assert maintain(tmp_path, "drop-scores --model abc --dry-run") == 2


@pytest.fixture
def at_work(staging: Path) -> Iterator[None]:
    """A night is at work."""
    with staging_folder(open_folder(str(staging)), new_run_id(datetime.now(UTC))):
        yield


@pytest.fixture
def vacuum_at_work(staging: Path) -> Iterator[None]:
    """Another maintenance command is at work."""
    with staging_folder(open_folder(str(staging)), f"{new_run_id(datetime.now(UTC))}-vacuum"):
        yield


@pytest.mark.usefixtures("at_work")
def test_only_forget_waits_for_nights(tmp_path: Path, warehouse: DeltaWarehouse) -> None:
    three_nights(warehouse)
    assert [maintain(tmp_path, command) for command in CHANGING] == [0, 0, 0, 5]


@pytest.mark.usefixtures("vacuum_at_work")
@pytest.mark.parametrize("command", CHANGING)
def test_commands_do_not_overlap(tmp_path: Path, warehouse: DeltaWarehouse, command: str) -> None:
    three_nights(warehouse)
    assert maintain(tmp_path, command) == 5
    assert shown_rows(warehouse) == same_in_all([(D5, "r3"), (D6, "r2")])


@pytest.mark.parametrize(
    "command",
    ["", "rollback", "rollback --to x", "vacuum", "vacuum --older-than 0", "vacuum --older-than 366", "forget", "tidy"],
)
def test_a_wrong_command_line_is_the_usage_code(tmp_path: Path, command: str) -> None:
    with pytest.raises(SystemExit) as ended:
        maintain(tmp_path, command)
    assert ended.value.code == 2
