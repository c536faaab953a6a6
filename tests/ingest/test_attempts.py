"""A window that is read although files of it are bad behind their footers."""

import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.errors import InputError, StorageError, UsageError
from emotion_udf.ingest import attempts
from emotion_udf.ingest.attempts import find_input, write_window
from emotion_udf.ingest.inventory import Inventory
from emotion_udf.window import Window
from tests.helpers.messages import NOON, WriteMessages, input_settings, messages


class Writer:
    """Counts rows by running the read, and remembers how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.undone = 0

    def write(self, rows: DataFrame) -> int:
        self.asked += 1
        return len(rows.collect())

    def undo(self) -> None:
        self.undone += 1


def stage(spark: SparkSession, root: Path, day: Window, **options: Any) -> tuple[Inventory, int, Writer]:
    writer = Writer()
    inventory, rows = write_window(
        spark, find_input(spark, input_settings(root, **options), day), writer.write, writer.undo
    )
    return inventory, rows, writer


def reasons(inventory: Inventory) -> dict[str, str]:
    return {file.uri.rpartition("/")[2]: file.reason.value for file in inventory.refused}


def spoil(file: Path) -> None:
    """Damage the pages of a file, and not its footer."""
    content = bytearray(file.read_bytes())
    content[10:150] = os.urandom(140)
    file.write_bytes(content)


def test_all_files_damaged_behind_their_footers_are_found_at_once(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    for number in range(12):
        texts = pa.array([f"i feel {i} times {number}" for i in range(50)])
        file = write(f"{number:02}.parquet", messages(50, text=texts), row_group_size=1_000)
        if number < 4:
            spoil(file)
    inventory, rows, writer = stage(spark, tmp_path / "input", day)
    assert reasons(inventory) == {f"{number:02}.parquet": "unreadable_file" for number in range(4)}
    assert (rows, inventory.expected_rows) == (400, 400)
    assert (writer.asked, writer.undone) == (2, 1)


def test_each_cause_has_its_reason(spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages) -> None:
    write("good.parquet")
    for number in (1, 2):
        write(f"codec {number}.parquet", compression="brotli")
        spark.range(3).coalesce(1).write.parquet(str(tmp_path / f"crc{number}"))
        (checksum,) = (tmp_path / f"crc{number}").glob(".part*.crc")
        write(f"checksum {number}.parquet")
        checksum.rename(tmp_path / f"input/.checksum {number}.parquet.crc")
    inventory, rows, writer = stage(spark, tmp_path / "input", day)
    assert reasons(inventory) == {
        "codec 1.parquet": "unsupported_codec",
        "codec 2.parquet": "unsupported_codec",
        "checksum 1.parquet": "checksum_mismatch",
        "checksum 2.parquet": "checksum_mismatch",
    }
    assert (rows, inventory.expected_rows) == (2, 2)
    assert writer.asked <= 3, "once for each cause, not for each file"


def test_a_checksum_that_fits_is_no_reason(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    spark.createDataFrame(messages(3)).coalesce(1).write.parquet(str(tmp_path / "input"))
    bad = write("bad.parquet")
    spoil(bad)
    inventory, rows, _ = stage(spark, tmp_path / "input", day)
    assert reasons(inventory) == {"bad.parquet": "unreadable_file"}
    assert (rows, inventory.expected_rows) == (3, 3)


def test_a_night_of_damaged_files_only_is_bad_input(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    for name in ("a", "b"):
        spoil(write(f"{name}.parquet"))
    with pytest.raises(InputError, match=r"a\.parquet \(unreadable_file\), b\.parquet \(unreadable_file\)"):
        stage(spark, tmp_path / "input", day)


def test_a_file_that_goes_away_is_missing(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    write("a.parquet")
    gone = write("b.parquet")
    writer = Writer()

    def write_rows(rows: DataFrame) -> int:
        gone.unlink(missing_ok=True)
        return writer.write(rows)

    inventory, rows = write_window(
        spark, find_input(spark, input_settings(tmp_path / "input"), day), write_rows, writer.undo
    )
    assert reasons(inventory) == {"b.parquet": "missing_file"}
    assert rows == 2


def test_a_file_that_one_machine_alone_sees_is_not_missing(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task does not find what the driver still sees: their disks are different ones, or it is soon there."""
    monkeypatch.setattr(attempts, "PAUSES", (0.0, 0.0))
    file = write("a.parquet")
    writer = Writer()
    gone = iter([True] * 3)

    def write_rows(rows: DataFrame) -> int:
        aside = file.rename(tmp_path / "aside") if next(gone, False) else file
        try:
            return writer.write(rows)
        finally:
            aside.rename(file)

    found = find_input(spark, input_settings(tmp_path / "input"), day)
    with pytest.raises(
        UsageError, match=r"expected the input at .*input on every machine, found one without a\.parquet"
    ):
        write_window(spark, found, write_rows, writer.undo)
    gone = iter([True] * 2)
    inventory, rows = write_window(spark, found, write_rows, writer.undo)
    assert (reasons(inventory), rows) == ({}, 2)


def test_a_file_whose_statistics_are_untrue_is_refused(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    write("good.parquet")
    far = NOON + timedelta(days=400)
    file = write("untrue.parquet", messages(2, created_at=pa.array([NOON, far], pa.timestamp("us", "UTC"))))
    content = file.read_bytes()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    told, untrue = ((int(time.timestamp()) * 1_000_000).to_bytes(8, "little") for time in (far, NOON))
    file.write_bytes(content[:footer] + content[footer:].replace(told, untrue))
    inventory, rows, writer = stage(spark, tmp_path / "input", day)
    assert reasons(inventory) == {"untrue.parquet": "unreadable_file"}
    assert (rows, inventory.expected_rows) == (2, 2)
    assert (writer.asked, writer.undone) == (2, 1)


def test_rows_that_are_missing_for_another_reason_are_left_to_the_gate(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    write("a.parquet")
    inventory, rows = write_window(
        spark, find_input(spark, input_settings(tmp_path / "input"), day), lambda _: 1, lambda: None
    )
    assert (rows, inventory.expected_rows, inventory.refused) == (1, 2, [])


def test_another_error_is_handed_on(spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages) -> None:
    write("a.parquet")

    def fail(_: DataFrame) -> int:
        raise ValueError("of somebody else")

    with pytest.raises(ValueError, match="of somebody else"):
        write_window(spark, find_input(spark, input_settings(tmp_path / "input"), day), fail, lambda: None)


@pytest.mark.parametrize("names_a_file", [True, False])
def test_a_storage_that_does_not_answer_is_asked_again_and_stops_the_night(
    spark: SparkSession,
    tmp_path: Path,
    day: Window,
    write: WriteMessages,
    monkeypatch: pytest.MonkeyPatch,
    names_a_file: bool,
) -> None:
    monkeypatch.setattr(attempts, "PAUSES", (0.0, 0.0))
    file = write("a.parquet")
    asked = []
    failed = f"[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file://{file}. SQLSTATE: KD001\n"

    def time_out(_: DataFrame) -> int:
        asked.append(1)
        cause = "java.net.SocketTimeoutException: Read timed out\n\tat java.net.Socket.read(Socket.java:1)"
        raise PySparkException(f"{failed if names_a_file else 'o1.parquet'}\nCaused by: {cause}\n")

    with pytest.raises(StorageError):
        write_window(spark, find_input(spark, input_settings(tmp_path / "input"), day), time_out, lambda: None)
    assert len(asked) == 3


def test_the_sessions_settings_are_as_before(
    spark: SparkSession, tmp_path: Path, day: Window, write: WriteMessages
) -> None:
    key = "spark.sql.files.openCostInBytes"
    before = spark.conf.get(key)
    write("a.parquet")
    stage(spark, tmp_path / "input", day)
    assert spark.conf.get(key) == before


def tasks_so_far(spark: SparkSession) -> int:
    """Return how many tasks this session has started: they are numbered through all jobs."""

    def number(_: object) -> int:
        task = TaskContext.get()
        assert task is not None
        return task.taskAttemptId()

    return max(spark.range(1, numPartitions=1).rdd.map(number).collect())


def test_small_files_are_packed_into_few_tasks(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    (tmp_path / "input").mkdir()
    for number in range(300):
        pq.write_table(messages(1), tmp_path / f"input/{number}.parquet")
    tasks = []
    before = tasks_so_far(spark)

    def count_tasks(rows: DataFrame) -> int:
        tasks.append(len(Counter(row[0] for row in rows.selectExpr("spark_partition_id()").collect())))
        return 300

    inventory, _ = write_window(
        spark, find_input(spark, input_settings(tmp_path / "input"), day), count_tasks, lambda: None
    )
    assert inventory.expected_rows == 300
    assert tasks[0] <= 4
    assert tasks_so_far(spark) - before < 100, "files are listed many a task, and once"
