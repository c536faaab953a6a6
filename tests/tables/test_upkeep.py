"""Nights in a row: what each has to read of the nights before stays the same."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.record import RunRecord
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RELEASES, RUNS, TERMS, TEXT_SCORES
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables import compaction, publish, upkeep
from emotion_udf.tables.compaction import compact, small_files
from emotion_udf.tables.delta_warehouse import RELEASED, DeltaWarehouse
from emotion_udf.tables.ownership import claims_since
from emotion_udf.tables.releases import list_releases
from emotion_udf.tables.text_scores import list_scores
from emotion_udf.tables.upkeep import checkpoint, commits_since_checkpoint
from emotion_udf.tables.warehouse import Commit
from emotion_udf.window import Window
from tests.helpers.killed import Killed
from tests.helpers.nights import NIGHT, publish_night, row_of, same_in_all, shown_rows, stage_rows, stage_scores

D5 = date(2026, 10, 5)
FIRST = date(2026, 1, 1)
MODEL = "a" * 32


@pytest.fixture
def warehouse(tmp_path: Path) -> DeltaWarehouse:
    return DeltaWarehouse(open_folder(str(tmp_path / "warehouse")))


@dataclass(frozen=True)
class Upkept:
    """What a night found and cost at its tables.

    Attributes:
        unread: The most commits that a table has after its upkeep and a reader has to read one by one.
        cpu_s: Seconds that this process computed, for all that the night asks of the warehouse; others do not count.
    """

    unread: int
    cpu_s: float


def publish_nights(warehouse: DeltaWarehouse, night: NightSettings, count: int) -> list[Upkept]:
    """Publish nights as the pipeline does, with upkeep after each."""
    nights = []
    for number in range(count):
        day = FIRST + timedelta(days=number)
        started = time.process_time()
        warehouse.repair()
        warehouse.released_runs(["versions"])
        list_scores(warehouse, MODEL)
        stage_scores(warehouse, f"r{number}", [f"t{number}"])
        warehouse.remember_scores(f"r{number}", MODEL)
        warehouse.published_dates([day - timedelta(days=before) for before in range(1, min(number, 56) + 1)])
        publish_night(warehouse, f"r{number}", [day])
        warehouse.append_run(RunRecord(RunContext(night, Window(day, day), run_id=f"r{number}")).row())
        warehouse.discard(f"r{number}")
        warehouse.upkeep()
        cpu_s = time.process_time() - started
        nights.append(Upkept(max(unread(warehouse, name) for name in (*RELEASED, RELEASES, RUNS, TEXT_SCORES)), cpu_s))
    return nights


def unread(warehouse: DeltaWarehouse, table: str) -> int:
    return commits_since_checkpoint(warehouse.folder(table), DeltaTable(warehouse.address(table)))


def check_nights(warehouse: DeltaWarehouse, count: int) -> None:
    """Check that all nights are there, and that a night's start asks for no commit of the nights before."""
    days = [FIRST + timedelta(days=number) for number in range(count)]
    assert shown_rows(warehouse) == same_in_all([(day, f"r{number}") for number, day in enumerate(days)])
    release = warehouse.release()
    assert release is not None
    assert release.number == count
    for table, version in release.versions.items():
        assert claims_since(DeltaTable(warehouse.address(table)), version) == []


@pytest.mark.slow
def test_a_reader_has_few_commits_to_read_after_many_nights(warehouse: DeltaWarehouse, night: NightSettings) -> None:
    assert max(one.unread for one in publish_nights(warehouse, night, 25)) < 10
    check_nights(warehouse, 25)


@pytest.mark.slow
def test_365_nights_in_a_row(
    warehouse: DeltaWarehouse, night: NightSettings, record_property: Callable[[str, object], None]
) -> None:
    """A night reads all files of `runs` and `text_scores`, the row of `releases`, and of each log what is unread."""
    nights = publish_nights(warehouse, night, 365)
    assert max(one.unread for one in nights) < 10
    early, late = (median(one.cpu_s for one in nights[last - 50 : last]) for last in (100, 365))
    for last in (30, 100, 200, 365):
        record_property(f"cpu_s of night {last}", median(one.cpu_s for one in nights[last - 10 : last]))
    assert late < 1.5 * early, "in computing time: three and a half times as many nights lie before"
    check_nights(warehouse, 365)
    assert len(list_releases(DeltaTable(warehouse.address(RELEASES)))) == 365
    assert len(list_scores(warehouse, MODEL)) <= 65
    assert listed_files(warehouse, RUNS) <= 65
    assert listed_files(warehouse, RELEASES) == 1
    assert {listed_files(warehouse, table) for table in RELEASED} == {365}, "a file a date"


def listed_files(warehouse: DeltaWarehouse, table: str) -> int:
    return len(DeltaTable(warehouse.address(table)).file_uris())


def test_without_upkeep_they_add_up(warehouse: DeltaWarehouse) -> None:
    for number in range(12):
        publish_night(warehouse, f"r{number}", [D5])
    assert unread(warehouse, LABELS) == 13, "the table's creation, and a commit a night"
    checkpoint(warehouse, LABELS)
    assert unread(warehouse, LABELS) == 0


def test_publishing_makes_no_checkpoint_itself(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r0", [D5])
    for table in (*RELEASED, RELEASES):
        DeltaTable(warehouse.address(table)).alter.set_table_properties({"delta.checkpointInterval": "1"})
    warehouse.repair()
    kept = len(checkpoints(warehouse, LABELS)), len(checkpoints(warehouse, RELEASES))
    publish_night(warehouse, "r1", [D5])
    assert (len(checkpoints(warehouse, LABELS)), len(checkpoints(warehouse, RELEASES))) == kept


def checkpoints(warehouse: DeltaWarehouse, table: str) -> list[Path]:
    return sorted(Path(warehouse.address(table)).glob("_delta_log/*.checkpoint.parquet"))


def test_old_logs_end_and_versions_of_the_time_that_is_kept_can_be_read(warehouse: DeltaWarehouse) -> None:
    """The log ends at the newest checkpoint that is older than what is kept."""
    for number in range(10):
        publish_night(warehouse, f"r{number}", [D5])
        if number in (2, 5):
            checkpoint(warehouse, LABELS)
    newest = warehouse.version(LABELS)
    for file in Path(warehouse.address(LABELS)).glob("_delta_log/0*"):
        days = 400 if int(file.name[:20]) < 7 else 300
        then = time.time() - days * 86_400
        os.utime(file, (then, then))
    checkpoint(warehouse, LABELS)

    readable = [version for version in range(newest + 1) if can_open(warehouse, version)]
    assert readable == list(range(6, newest + 1)), "version 6 is the checkpoint after the sixth night"


def can_open(warehouse: DeltaWarehouse, version: int) -> bool:
    try:
        DeltaTable(warehouse.address(LABELS), version=version)
    except Exception:
        return False
    return True


def crowd(warehouse: DeltaWarehouse, files: int) -> None:
    """Publish a date whose labels are in many files."""
    stage_rows(warehouse, LABELS, "r1", {D5: [row_of(LABELS, "r1")]})
    first = next(Path(warehouse.data_folder(LABELS, "r1").path).rglob("*.parquet"))
    for number in range(files - 1):
        (first.parent / f"part-{number}.parquet").write_bytes(first.read_bytes())
    publish_rest(warehouse)


def publish_rest(warehouse: DeltaWarehouse) -> None:
    for table in (DAILY, QUARANTINE):
        stage_rows(warehouse, table, "r1", {D5: [row_of(table, "r1")]})
    warehouse.publish(NIGHT, Commit("r1", [D5]), warehouse.version(LABELS))


def test_many_small_files_of_a_date_are_joined_and_released(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_MANY_FILES", 4)
    crowd(warehouse, 5)
    before = shown_rows(warehouse)
    assert small_files(warehouse, LABELS).files == 5
    warehouse.upkeep()
    assert small_files(warehouse, LABELS).files == 0
    assert shown_rows(warehouse) == before
    release = warehouse.release()
    assert warehouse.repair() == release, "nothing is left for the next start to do"
    warehouse.upkeep()
    assert warehouse.release() == release


def test_few_files_and_large_ones_are_left(warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(warehouse, 5)
    version = warehouse.version(LABELS)
    warehouse.upkeep()
    monkeypatch.setattr(upkeep, "_MANY_FILES", 4)
    monkeypatch.setattr(compaction, "_SMALL_BYTES", 1)
    warehouse.upkeep()
    assert warehouse.version(LABELS) == version


def test_compaction_puts_no_values_into_the_log(warehouse: DeltaWarehouse) -> None:
    crowd(warehouse, 3)
    assert compact(warehouse, LABELS) == (3, 1)
    newest = max(Path(warehouse.address(LABELS)).glob("_delta_log/*.json")).read_text()
    assert '"numRecords' in newest.replace("\\", "")
    assert "feedback_id" not in newest
    assert compact(warehouse, LABELS) == (0, 0)


def test_a_night_that_was_killed_is_finished_over_a_compaction(
    warehouse: DeltaWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    publish_night(warehouse, "r0", [D5])
    with monkeypatch.context() as patch:
        patch.setattr(publish, "_follow", killed)
        with pytest.raises(Killed):
            crowd(warehouse, 3)
    assert shown_rows(warehouse) == same_in_all([(D5, "r0")])
    for table in RELEASED:
        compact(warehouse, table)
    warehouse.repair()
    assert shown_rows(warehouse) == {LABELS: [(D5, "r1")] * 3, DAILY: [(D5, "r1")], QUARANTINE: [(D5, "r1")], TERMS: []}


def test_earlier_releases_can_be_read_after_a_compaction(warehouse: DeltaWarehouse) -> None:
    crowd(warehouse, 3)
    release = warehouse.release()
    before = shown_rows(warehouse)
    compact(warehouse, LABELS)
    warehouse.repair()
    assert shown_rows(warehouse, release) == before


def test_a_failure_is_a_warning_and_the_other_tables_are_kept_up(
    warehouse: DeltaWarehouse, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(12):
        publish_night(warehouse, f"r{number}", [D5])
    (Path(warehouse.address(DAILY)) / "_delta_log" / "_last_checkpoint").mkdir()
    with caplog.at_level(logging.WARNING):
        warehouse.upkeep()
    assert DAILY in caplog.text
    assert unread(warehouse, LABELS) == 0
    assert unread(warehouse, RELEASES) == 0


def test_a_warehouse_that_is_not_there_needs_nothing(warehouse: DeltaWarehouse) -> None:
    warehouse.upkeep()
    assert not Path(warehouse.root.path).exists()


def test_tables_of_an_earlier_version_get_their_properties(warehouse: DeltaWarehouse) -> None:
    table = DeltaTable.create(warehouse.address(RUNS), pa.schema([("run_id", pa.string())]), name=RUNS)
    assert "delta.logRetentionDuration" not in table.metadata().configuration
    warehouse.upkeep()
    assert "delta.logRetentionDuration" in DeltaTable(warehouse.address(RUNS)).metadata().configuration
    version = warehouse.version(RUNS)
    warehouse.upkeep()
    assert warehouse.version(RUNS) == version


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"\x00" * 300])
def test_a_checkpoint_that_a_power_cut_left_in_part_is_set_aside(
    warehouse: DeltaWarehouse, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        publish_night(warehouse, f"r{number}", [D5])
    checkpoint(warehouse, LABELS)
    checkpoints(warehouse, LABELS)[-1].write_bytes(content)
    warehouse.repair()
    assert LABELS in caplog.text
    assert shown_rows(warehouse) == same_in_all([(D5, "r2")])
    publish_night(warehouse, "r3", [D5])
    checkpoint(warehouse, LABELS)
    assert pq.read_metadata(checkpoints(warehouse, LABELS)[-1]).num_rows


def test_a_pointer_to_a_checkpoint_that_a_power_cut_left_in_part_is_set_aside(warehouse: DeltaWarehouse) -> None:
    publish_night(warehouse, "r0", [D5])
    checkpoint(warehouse, LABELS)
    (Path(warehouse.address(LABELS)) / "_delta_log" / "_last_checkpoint").write_bytes(b"")
    warehouse.repair()
    assert shown_rows(warehouse) == same_in_all([(D5, "r0")])


def test_a_whole_checkpoint_stays(warehouse: DeltaWarehouse, caplog: pytest.LogCaptureFixture) -> None:
    publish_night(warehouse, "r0", [D5])
    checkpoint(warehouse, LABELS)
    warehouse.repair()
    assert caplog.text == ""
    assert len(checkpoints(warehouse, LABELS)) == 1
    assert unread(warehouse, LABELS) == 0
