"""What the driver makes of the input's files, without Spark."""

import os
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.types import StringType, StructType, TimestampNTZType, TimestampType

from emotion_udf.errors import InputError
from emotion_udf.ingest.inventory import Inventory, RefusedFile, take_inventory
from emotion_udf.ingest.memory import ReadLimits
from emotion_udf.schemas import Reason
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.storage import open_folder
from emotion_udf.window import Window
from tests.helpers.messages import DAY, WriteMessages, messages

ONE_DAY = Window(DAY, DAY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The input's folder, empty."""
    folder = tmp_path / "input"
    folder.mkdir()
    return folder


def take(root: Path, window: Window = ONE_DAY, **options: Any) -> Inventory:
    return take_inventory(open_folder(str(root)), InputSettings(path=str(root), **options), window)


def refusal(root: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        take(root, **options)
    return str(caught.value)


def uris(*files: Path) -> list[str]:
    return [f"file://{file}" for file in files]


def types(schema: StructType) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in schema}


def test_good_files_are_read_with_their_common_schema(root: Path, write: WriteMessages) -> None:
    files = [write("a.parquet"), write("deep/b.parquet")]
    inventory = take(root)
    assert inventory.files == uris(*files)
    assert inventory.refused == []
    assert inventory.size == sum(file.stat().st_size for file in files)
    assert types(inventory.schema) == {"id": "string", "text": "string", "created_at": "timestamp"}


@pytest.mark.parametrize("groups", [0, 1])
def test_a_file_without_rows_has_no_say(root: Path, write: WriteMessages, groups: int) -> None:
    good = write("b.parquet")
    with pq.ParquetWriter(root / "a.parquet", messages().drop_columns(["id"]).schema) as writer:
        for _ in range(groups):
            writer.write_table(messages(0).drop_columns(["id"]))
    inventory = take(root)
    assert (inventory.files, inventory.refused) == (uris(good), [])


def test_an_input_of_empty_files_has_no_rows(root: Path, write: WriteMessages) -> None:
    write("a.parquet", messages(0))
    inventory = take(root)
    assert (inventory.files, inventory.refused, inventory.expected_rows) == ([], [], 0)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"id,text\n1,hello\n", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_set_aside(root: Path, write: WriteMessages, content: bytes) -> None:
    good, bad = write("b.parquet"), root / "a.parquet"
    bad.write_bytes(content)
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.UNREADABLE_FILE)]
    assert inventory.size == good.stat().st_size + len(content)


def test_a_truncated_file_is_set_aside(root: Path, write: WriteMessages) -> None:
    good, bad = write("a.parquet"), write("b.parquet")
    bad.write_bytes(bad.read_bytes()[:-20])
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.UNREADABLE_FILE)]


@settings(max_examples=60)
@given(st.data())
def test_damage_anywhere_fails_no_other_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    root = tmp_path_factory.mktemp("input")
    for name in ("a", "b"):
        pq.write_table(messages(), root / f"{name}.parquet")
    damaged = root / "c.parquet"
    content = bytearray((root / "a.parquet").read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged.write_bytes(content)
    inventory = take(root)
    seen = [*inventory.files, *(file.uri for file in inventory.refused)]
    assert sorted(seen) == uris(root / "a.parquet", root / "b.parquet", damaged)
    assert set(uris(root / "a.parquet", root / "b.parquet")) <= set(inventory.files)


def test_the_file_whose_type_is_wrong_is_set_aside(root: Path, write: WriteMessages) -> None:
    good = write("b.parquet")
    bad = write("a.parquet", messages(id=pa.array([1.5, 2.5])))
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.SCHEMA_MISMATCH)]
    assert types(inventory.schema)["id"] == "string"


def test_ids_of_several_types_are_read_together(root: Path, write: WriteMessages) -> None:
    arrays = [pa.array([1, 2], pa.int32()), pa.array([1, 2], pa.int64()), pa.array([b"a", b"b"]), pa.array(["a", "b"])]
    arrays += [
        pa.array([1, 2], pa.uint64()),
        pa.array([1, 2], pa.decimal128(20, 0)),
        pa.array([b"a" * 16] * 2, pa.uuid()),
    ]
    files = [write(f"{i}.parquet", messages(id=array)) for i, array in enumerate(arrays)]
    inventory = take(root)
    assert inventory.files == uris(*files)
    assert inventory.refused == []
    assert types(inventory.schema)["id"] == "string"
    assert sorted(types(group.schema)["id"] for group in inventory.groups) == [
        "bigint", "binary", "decimal(20,0)", "int", "string",
    ]  # fmt: skip


def test_the_file_that_lacks_a_needed_column_is_set_aside(root: Path, write: WriteMessages) -> None:
    good = [write("b.parquet"), write("c.parquet")]
    write("a.parquet", messages().drop_columns(["text"]))
    inventory = take(root)
    assert inventory.files == uris(*good)
    assert [file.reason for file in inventory.refused] == [Reason.SCHEMA_MISMATCH]


def test_names_that_differ_in_case_only_are_refused(root: Path, write: WriteMessages) -> None:
    good = write("b.parquet")
    bad = write("a.parquet", messages(Text=pa.array(["x", "y"])))
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.SCHEMA_MISMATCH)]


@pytest.mark.parametrize("name", ["_a.parquet", ".a.parquet", "_temporary/0/a.parquet", ".hidden/a.parquet"])
def test_names_that_begin_with_a_mark_are_no_data(root: Path, write: WriteMessages, name: str) -> None:
    good = write("b.parquet")
    write(name)
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == []


def test_a_partition_folder_may_begin_with_a_mark(root: Path, write: WriteMessages) -> None:
    file = write("_day=5/b.parquet")
    inventory = take(root)
    assert inventory.files == uris(file)
    assert inventory.schema["_day"].dataType == StringType()


def test_hive_keys_are_string_columns(root: Path, write: WriteMessages) -> None:
    files = [write("source=tweet/n=1/a.parquet"), write("source=a%3Ab%20c/n=2/b.parquet")]
    inventory = take(root, dimensions={"source": "source"})
    assert inventory.files == sorted(uris(*files))
    assert types(inventory.schema) == {
        "id": "string",
        "text": "string",
        "created_at": "timestamp",
        "source": "string",
        "n": "string",
    }


def test_a_hive_key_stands_for_the_column_of_its_name(root: Path, write: WriteMessages) -> None:
    file = write("source=tweet/a.parquet", messages(source=pa.array([1, 2])))
    inventory = take(root, dimensions={"source": "source"})
    assert inventory.files == uris(file)
    assert types(inventory.schema)["source"] == "string"
    assert inventory.schema.fieldNames().count("source") == 1


def test_a_file_without_a_dimension_is_read(root: Path, write: WriteMessages) -> None:
    files = [write("source=a/a.parquet"), write("source=b/a.parquet"), write("stray.parquet")]
    inventory = take(root, dimensions={"source": "source"})
    assert inventory.files == uris(*files)
    assert (inventory.refused, inventory.expected_rows) == ([], 6)


def test_a_dimension_of_no_file_is_told(root: Path, write: WriteMessages, caplog: pytest.LogCaptureFixture) -> None:
    write("a.parquet", messages(channel=pa.array(["x", "y"])))
    take(root, dimensions={"source": "channel", "shop": "branch"})
    (message,) = caplog.messages
    assert "'branch'" in message
    assert "input.dimensions.shop" in message


def test_folders_more_than_a_day_from_the_window_stay_shut(root: Path, write: WriteMessages) -> None:
    files = {d: write(f"dt=2026-10-{d:02}/a.parquet") for d in range(2, 11)}
    window = Window(date(2026, 10, 5), date(2026, 10, 6))
    inventory = take(root, window, date_partition="dt")
    assert inventory.files == uris(*(files[day] for day in (4, 5, 6, 7)))
    assert inventory.size == sum(files[day].stat().st_size for day in (4, 5, 6, 7))


def test_a_damaged_file_far_from_the_window_is_not_this_nights(root: Path, write: WriteMessages) -> None:
    write("dt=2026-10-05/a.parquet")
    write("dt=2026-09-05/a.parquet").write_bytes(b"")
    assert take(root, date_partition="dt").refused == []


def test_messages_without_a_date_folder_are_read_every_night(root: Path, write: WriteMessages) -> None:
    undated = write("dt=__HIVE_DEFAULT_PARTITION__/a.parquet")
    write("dt=2020-01-01/a.parquet")
    assert take(root, date_partition="dt").files == uris(undated)


def test_url_encoded_keys_and_dates_are_understood(root: Path, write: WriteMessages) -> None:
    near = write("arrival%20day=2026%2D10%2D05/a.parquet")
    write("arrival%20day=2026%2D09%2D05/a.parquet")
    inventory = take(root, date_partition="arrival day")
    assert inventory.files == uris(near)
    assert "arrival day" in inventory.schema.fieldNames()


@pytest.mark.parametrize("value", ["yesterday", "2026-13-01", "", "2026-10"])
def test_an_input_without_a_single_date_folder_is_refused(root: Path, write: WriteMessages, value: str) -> None:
    write(f"dt={value}/a.parquet")
    write("stray.parquet")
    assert refusal(root, date_partition="dt") == (
        f"expected folders dt=YYYY-MM-DD in file://{root}, as input.date_partition says, found none; "
        "correct or remove input.date_partition"
    )


@pytest.mark.parametrize("name", ["stray.parquet", "dt=soon/a.parquet", "dt=20261005/a.parquet"])
def test_a_file_outside_the_date_folders_is_set_aside(root: Path, write: WriteMessages, name: str) -> None:
    good, stray = write("dt=2026-10-05/a.parquet"), write(name)
    inventory = take(root, date_partition="dt")
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{stray}", Reason.SCHEMA_MISMATCH)]


def test_a_struct_that_spark_cannot_read_is_left_out(root: Path, write: WriteMessages) -> None:
    write("a.parquet", messages(extra=pa.nulls(2, pa.struct([("a", pa.int32()), ("A", pa.int32())]))))
    assert "extra" not in take(root).schema.fieldNames()


def test_a_window_without_folders_has_no_files_but_the_needed_columns(root: Path, write: WriteMessages) -> None:
    write("dt=2020-01-01/a.parquet")
    inventory = take(root, date_partition="dt", dimensions={"source": "channel"})
    assert (inventory.files, inventory.refused, inventory.size) == ([], [], 0)
    assert types(inventory.schema) == {
        "id": "string",
        "text": "string",
        "created_at": "timestamp",
        "channel": "string",
        "dt": "string",
    }


def test_spark_s_old_int96_timestamps_are_timestamps(root: Path, write: WriteMessages) -> None:
    file = write("a.parquet", use_deprecated_int96_timestamps=True)
    assert pq.read_metadata(file).schema.column(2).physical_type == "INT96"
    inventory = take(root)
    assert inventory.files == uris(file)
    assert inventory.schema["created_at"].dataType == TimestampType()


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_timestamps_may_be_without_a_zone(root: Path, write: WriteMessages, unit: str) -> None:
    write("a.parquet", messages(created_at=pa.array([datetime(2026, 10, 5)] * 2, pa.timestamp(unit))))
    assert take(root).schema["created_at"].dataType == TimestampNTZType()


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_of_every_unit_are_read_together(root: Path, write: WriteMessages, zone: str | None) -> None:
    moments = [datetime(2026, 10, 5, 12)] * 2
    files = [
        write(f"{unit}.parquet", messages(created_at=pa.array(moments, pa.timestamp(unit, zone))))
        for unit in ("ms", "ns", "s", "us")
    ]
    inventory = take(root)
    assert inventory.files == uris(*files)
    assert types(inventory.schema)["created_at"] == ("timestamp" if zone else "timestamp_ntz")
    assert (inventory.refused, inventory.expected_rows) == ([], 8)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_other_forms_of_strings_are_strings(root: Path, write: WriteMessages, kind: pa.DataType) -> None:
    files = [write("a.parquet"), write("b.parquet", messages(text=pa.array(["x", "y"]).cast(kind)))]
    inventory = take(root)
    assert inventory.files == uris(*files)
    assert types(inventory.schema)["text"] == "string"


def test_extra_columns_are_kept_where_all_files_agree(root: Path, write: WriteMessages) -> None:
    write("a.parquet", messages(score=pa.array([1.5, 2.5]), stars=pa.array([1, 2]), only_here=pa.array([1, 2])))
    write("b.parquet", messages(score=pa.array([0.5, 1.0]), stars=pa.array(["1", "2"])))
    inventory = take(root)
    assert inventory.refused == []
    schema = types(inventory.schema)
    assert schema["score"] == "double"
    assert schema["only_here"] == "bigint"
    assert "stars" not in schema


def test_extra_columns_that_spark_cannot_read_are_left_out(root: Path, write: WriteMessages) -> None:
    write("a.parquet", messages(half=pa.array([1, 2], pa.float16()), ns=pa.array([1, 2], pa.timestamp("ns"))))
    assert types(take(root).schema) == {"id": "string", "text": "string", "created_at": "timestamp"}


def test_a_single_file_is_an_input(write: WriteMessages) -> None:
    file = write("a.parquet")
    write("b.parquet")
    assert take(file).files == uris(file)


@pytest.mark.parametrize("name", ["_a.parquet", ".a.parquet", "a.parquet._COPYING_"])
def test_a_single_file_that_spark_hides_is_refused(write: WriteMessages, name: str) -> None:
    assert "reads as no rows; rename it" in refusal(write(name))


@pytest.mark.parametrize("name", ["_a=b.parquet"])
def test_a_single_file_that_only_looks_hidden_is_an_input(write: WriteMessages, name: str) -> None:
    file = write(name)
    assert take(file).files == uris(file)


def test_a_path_may_hold_blanks_and_pattern_characters(root: Path, write: WriteMessages) -> None:
    file = write("a b/so[u]rce*/{x}?.parquet")
    assert take(root).files == uris(file)


def test_a_missing_place_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert refusal(missing) == f"expected input at file://{missing}, found nothing; check input.path"


@pytest.mark.parametrize("names", [[], ["_SUCCESS", ".part.crc"]])
def test_a_folder_without_data_stops_the_night(root: Path, names: list[str]) -> None:
    for name in names:
        (root / name).touch()
    assert refusal(root).startswith(f"expected Parquet files in file://{root}, found none; check input.path")


def test_only_unreadable_files_stop_the_night(root: Path) -> None:
    for name in ("a", "b"):
        (root / f"{name}.parquet").touch()
    assert refusal(root).startswith(
        f"expected Parquet files in file://{root}, found 2 that cannot be read and no other"
    )


def test_a_missing_column_is_named_with_its_setting(root: Path, write: WriteMessages) -> None:
    write("a.parquet", messages().rename_columns(["key", "text", "created_at"]))
    assert refusal(root, dimensions={"source": "channel"}).splitlines() == [
        f"the columns of file://{root} do not meet the contract:",
        "  expected a column 'id' (input.columns.id, a string, an integer, a decimal or binary), found none",
        "  expected a column 'channel' (input.dimensions.source, a string, an integer, a boolean or a date), found "
        "none",
        "  columns found: key string, text string, created_at timestamp",
        "  name the right columns in [input.columns] and [input.dimensions]",
    ]


def test_a_file_with_two_columns_of_one_name_is_set_aside(root: Path, write: WriteMessages) -> None:
    good, table = write("a.parquet"), messages()
    bad = write("b.parquet", table.append_column("text", table["text"]))
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.SCHEMA_MISMATCH)]


def test_extra_columns_of_two_files_never_differ_in_case_only(root: Path, write: WriteMessages) -> None:
    write("a.parquet", messages(Stars=pa.array([1, 2])))
    write("b.parquet", messages(stars=pa.array([1, 2])))
    names = [name.lower() for name in take(root).schema.fieldNames()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", [pa.struct([("at", pa.timestamp("ns"))]), pa.list_(pa.timestamp("ns"))])
def test_nested_nanoseconds_are_left_out(root: Path, write: WriteMessages, kind: pa.DataType) -> None:
    write("a.parquet", messages(extra=pa.nulls(2, kind)))
    assert "extra" not in take(root).schema.fieldNames()


@pytest.mark.parametrize("kind", [pa.time64("us"), pa.decimal256(50, 2)])
def test_types_that_spark_refuses_are_left_out(root: Path, write: WriteMessages, kind: pa.DataType) -> None:
    write("a.parquet", messages(extra=pa.nulls(2, kind)))
    assert "extra" not in take(root).schema.fieldNames()


def test_string_views_are_strings(root: Path, write: WriteMessages) -> None:
    write("a.parquet", messages(text=pa.array(["x", "y"], pa.string_view())))
    assert types(take(root).schema)["text"] == "string"


def test_the_files_that_meet_the_contract_win(root: Path, write: WriteMessages) -> None:
    write("a.parquet", messages(text=pa.array([1, 2])))
    good = write("b.parquet")
    assert take(root).files == uris(good)


def test_a_dimension_may_be_the_date_partition_in_a_window_without_files(root: Path, write: WriteMessages) -> None:
    write("dt=2020-01-01/a.parquet")
    schema = take(root, date_partition="dt", dimensions={"arrived": "dt"}).schema
    assert schema.fieldNames().count("dt") == 1


def test_a_date_folder_is_written_as_spark_reads_it(root: Path, write: WriteMessages) -> None:
    write("dt=20261005/a.parquet")
    assert "expected folders dt=YYYY-MM-DD" in refusal(root, date_partition="dt")


def test_files_below_other_partition_keys_are_read(root: Path, write: WriteMessages) -> None:
    files = [write("source=a/1.parquet"), write("source=b/1.parquet"), write("source=b/day=1/1.parquet")]
    inventory = take(root, dimensions={"source": "source"})
    assert inventory.files == uris(*files)
    assert len(inventory.groups) == 2


def test_keys_in_several_places_are_read_apart(root: Path, write: WriteMessages) -> None:
    files = [write("deep/source=a/1.parquet"), write("source=a/1.parquet"), write("source=a/more/1.parquet")]
    inventory = take(root)
    assert inventory.files == uris(*files)
    assert [len(group.footers) for group in inventory.groups] == [1, 2]


def test_a_file_with_one_key_twice_is_set_aside(root: Path, write: WriteMessages) -> None:
    good, bad = write("a=1/1.parquet"), write("a=1/a=2/1.parquet")
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.UNREADABLE_NAME)]


def test_keys_end_at_a_folder_that_is_none(root: Path, write: WriteMessages) -> None:
    write("a=1/deep/b=2/deeper/x.parquet")
    assert set(take(root).schema.fieldNames()) == {"id", "text", "created_at", "b"}


@pytest.mark.parametrize("name", ["a:b.parquet", "source=/a.parquet", "=x/a.parquet"])
def test_a_name_that_spark_cannot_read_is_set_aside(root: Path, write: WriteMessages, name: str) -> None:
    good, bad = write("good.parquet"), write(name)
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.UNREADABLE_NAME)]


def test_a_name_that_is_not_utf8_is_set_aside(root: Path, write: WriteMessages) -> None:
    good, bad = write("good.parquet"), write("bad.parquet")
    os.rename(bad, os.fsencode(root) + b"/\xfc.parquet")
    inventory = take(root)
    assert inventory.files == uris(good)
    assert [file.reason for file in inventory.refused] == [Reason.UNREADABLE_NAME]


# The window by statistics and by the times themselves.


def at(*hours: float | None, unit: str = "us", zone: str | None = "UTC") -> pa.Table:
    """Messages so many hours after the window's first midnight; a file of its own unit."""
    midnight = datetime(2026, 10, 5)
    moments = [None if hour is None else midnight + timedelta(hours=hour) for hour in hours]
    return messages(len(moments), created_at=pa.array(moments, pa.timestamp(unit, zone)))


def test_files_without_a_row_of_the_window_have_no_say(root: Path, write: WriteMessages) -> None:
    tonight = write("a.parquet", at(1, 2))
    write("before.parquet", at(-3, -1))
    write("after.parquet", at(24, 30).append_column("Text", pa.array(["x", "y"]))).stat()
    write("odd.parquet", at(-30, -20).drop_columns(["id"]))
    inventory = take(root)
    assert inventory.files == uris(tonight)
    assert [file.reason for file in inventory.refused] == [Reason.SCHEMA_MISMATCH]
    assert inventory.candidates == 2


def test_a_damaged_file_among_other_days_is_all_that_tonight_has(root: Path, write: WriteMessages) -> None:
    for day in range(1, 30):
        write(f"{day}.parquet", at(24 * day))
    bad = write("0.parquet", at(1))
    bad.write_bytes(bad.read_bytes()[:-50])
    assert "0.parquet (unreadable_file)" in refusal(root)


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("unit", ["ms", "us", "ns", "int96"])
@pytest.mark.parametrize("zone", [None, "UTC"])
def test_the_windows_rows_are_counted(
    root: Path, write: WriteMessages, unit: str, zone: str | None, statistics: bool
) -> None:
    table = at(-1, 0, 23.9, 24, 12, None, unit="ns" if unit == "int96" else unit, zone=zone)
    int96 = unit == "int96"
    write("a.parquet", table, write_statistics=statistics, use_deprecated_int96_timestamps=int96, row_group_size=2)
    assert take(root).expected_rows == 4


def test_a_wall_clock_is_counted_in_the_settings_zone(root: Path, write: WriteMessages) -> None:
    write("a.parquet", at(0.5, 23.5, zone=None))
    write("b.parquet", at(-1.5, 23.5))
    assert take(root, Window(DAY, DAY, "Europe/Berlin")).expected_rows == 3


def test_a_time_beyond_all_is_counted_with_those_without(root: Path, write: WriteMessages) -> None:
    beyond = pa.array([2**63 - 1, -(2**63), None], pa.timestamp("ms", "UTC"))
    write("a.parquet", messages(3, created_at=beyond))
    inventory = take(root)
    assert inventory.expected_rows == 3
    assert types(inventory.groups[0].schema)["created_at"] == "timestamp"


def test_rows_without_a_time_count_on_their_folders_day(root: Path, write: WriteMessages) -> None:
    for day in (4, 5, 6):
        write(f"dt=2026-10-0{day}/a.parquet", at(None, 12))
    inventory = take(root, date_partition="dt")
    assert inventory.expected_rows == 4


@pytest.mark.parametrize("day", ["2026-10-04", "2026-10-06"])
def test_a_neighbours_half_written_file_has_no_say(root: Path, write: WriteMessages, day: str) -> None:
    good = write("dt=2026-10-05/a.parquet")
    write(f"dt={day}/a.parquet").write_bytes(b"PAR1")
    inventory = take(root, date_partition="dt")
    assert (inventory.files, inventory.refused, inventory.candidates) == (uris(good), [], 1)


def test_what_fails_later_is_set_aside_too(root: Path, write: WriteMessages) -> None:
    good, bad, beside = (
        write("dt=2026-10-05/a.parquet"),
        write("dt=2026-10-05/b.parquet"),
        write("dt=2026-10-06/a.parquet"),
    )
    failed = dict.fromkeys(uris(bad, beside), Reason.CHECKSUM_MISMATCH)
    inventory = take(root, date_partition="dt").without(failed)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.CHECKSUM_MISMATCH)]
    with pytest.raises(InputError, match="checksum_mismatch"):
        inventory.without({f"file://{good}": Reason.CHECKSUM_MISMATCH})


def test_refused_files_are_named_but_not_all(root: Path) -> None:
    for number in range(9):
        (root / f"{number}.parquet").touch()
    message = refusal(root)
    assert "4.parquet (unreadable_file) and 4 more" in message
    assert "5.parquet" not in message


def test_a_column_of_pictures_is_not_read(root: Path, write: WriteMessages) -> None:
    write("a.parquet", messages(photo=pa.array([os.urandom(100_000), os.urandom(100_000)]), notes=pa.array(["x", "y"])))
    assert set(take(root).schema.fieldNames()) == {"id", "text", "created_at", "notes"}


def far_messages() -> pa.Table:
    return messages(1, created_at=pa.array([datetime(2020, 1, 1)], pa.timestamp("us", "UTC")))


def test_columns_that_are_large_together_are_not_read(root: Path, write: WriteMessages) -> None:
    extras = {f"notes{i}": pa.array([f"{i}" * (i * 10_000)] * 2) for i in range(1, 6)}
    write("a.parquet", messages(**extras), use_dictionary=False)
    assert set(take(root).schema.fieldNames()) == {"id", "text", "created_at", "notes1", "notes2", "notes3"}


def test_a_file_whose_pages_a_small_heap_could_not_hold_is_set_aside(root: Path, write: WriteMessages) -> None:
    good = write("b.parquet")
    bad = write("a.parquet", messages(100, text=pa.array(["x" * 100_000] * 100)), use_dictionary=False)
    settings = InputSettings(path=str(root))
    inventory = take_inventory(open_folder(str(root)), settings, Window(DAY, DAY), ReadLimits(page=9_000_000))
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.VALUE_TOO_LONG)]


@pytest.mark.parametrize(
    "written",
    [b"", b"crc", b"crc\0\0\0\2", b"no checksum", b"crc\0\0\0\0\0", b"crc\0\x7f\xff\xff\xff", b"crc\0\xff\xff\xff\xff"],
)
def test_a_file_beside_a_broken_checksum_is_set_aside(root: Path, write: WriteMessages, written: bytes) -> None:
    good, bad, outside = write("good.parquet"), write("bad.parquet"), write("outside.parquet", far_messages())
    for file in (bad, outside):
        file.with_name(f".{file.name}.crc").write_bytes(written)
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.CHECKSUM_MISMATCH)]


@pytest.mark.slow
def test_a_file_whose_texts_no_worker_could_hold_is_set_aside(root: Path, write: WriteMessages) -> None:
    good = write("b.parquet")
    huge = pa.array(["x" * 60_000_000 + str(i) for i in range(10)], pa.large_string())
    bad = write("a.parquet", messages(10, text=huge), compression="zstd")
    inventory = take(root)
    assert inventory.files == uris(good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.VALUE_TOO_LONG)]


@pytest.mark.parametrize(
    ("rows", "text", "is_small"), [(10_000, "short", True), (10_001, "short", False), (1_000, "long " * 20_000, False)]
)
def test_few_rows_of_few_bytes_are_small(root: Path, rows: int, text: str, is_small: bool) -> None:
    table = messages(rows)
    texts = pa.array([f"{number} {text}" for number in range(rows)])
    pq.write_table(table.set_column(table.schema.get_field_index("text"), "text", texts), root / "1.parquet")
    inventory = take(root)
    assert inventory.expected_rows == rows
    assert inventory.is_small == is_small


def test_of_a_catalog_table_nobody_knows_whether_it_is_small() -> None:
    assert not Inventory(None, InputSettings(table="feedback"), ONE_DAY).is_small
