"""What the driver makes of the input's files, without Spark."""

from datetime import date, datetime
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
from emotion_udf.schemas import Reason
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.storage import open_folder
from emotion_udf.window import Window
from tests.helpers.messages import DAY, NOON, WriteMessages, messages

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


def test_a_file_without_rows_is_good(root: Path, write: WriteMessages) -> None:
    empty = write("a.parquet", messages(0))
    assert take(root).files == uris(empty)


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


def test_the_file_whose_type_differs_is_set_aside(root: Path, write: WriteMessages) -> None:
    good = [write("b.parquet"), write("c.parquet")]
    bad = write("a.parquet", messages(id=pa.array([1, 2])))
    inventory = take(root)
    assert inventory.files == uris(*good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.SCHEMA_MISMATCH)]
    assert types(inventory.schema)["id"] == "string"


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


def test_a_file_outside_the_needed_partitions_is_set_aside(root: Path, write: WriteMessages) -> None:
    good = [write("source=a/a.parquet"), write("source=b/a.parquet")]
    bad = write("stray.parquet")
    inventory = take(root, dimensions={"source": "source"})
    assert inventory.files == uris(*good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.SCHEMA_MISMATCH)]


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


def in_nanoseconds() -> pa.Table:
    """Messages as pandas writes them by default."""
    return messages(created_at=pa.array([NOON] * 2, pa.timestamp("ns", tz="UTC")))


def test_nanosecond_timestamps_are_refused_by_contract(root: Path, write: WriteMessages) -> None:
    write("a.parquet", in_nanoseconds())
    message = refusal(root)
    assert "'created_at' (input.columns.created_at" in message
    assert "a timestamp in micro- or milliseconds" in message


def test_the_message_on_nanoseconds_says_that_the_column_is_there(root: Path, write: WriteMessages) -> None:
    write("a.parquet", in_nanoseconds())
    assert "found none" not in refusal(root)


def test_one_file_in_nanoseconds_is_set_aside(root: Path, write: WriteMessages) -> None:
    good = [write("a.parquet"), write("b.parquet")]
    bad = write("c.parquet", in_nanoseconds())
    inventory = take(root)
    assert inventory.files == uris(*good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.SCHEMA_MISMATCH)]


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
    file = write("_a.parquet")
    write("b.parquet")
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
        "  expected a column 'id' (input.columns.id, a string or an integer), found none",
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


def test_files_below_other_partition_keys_are_set_aside(root: Path, write: WriteMessages) -> None:
    good = [write("source=a/1.parquet"), write("source=b/1.parquet")]
    bad = write("source=b/day=1/1.parquet")
    inventory = take(root, dimensions={"source": "source"})
    assert inventory.files == uris(*good)
    assert inventory.refused == [RefusedFile(f"file://{bad}", Reason.SCHEMA_MISMATCH)]
