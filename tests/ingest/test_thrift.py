from contextlib import suppress

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.ingest.thrift import read_struct
from tests.helpers.messages import WriteMessages, messages


def test_a_footer_is_read_as_pyarrow_reads_it(write: WriteMessages) -> None:
    file = write("a.parquet", messages(10), row_group_size=4)
    content = file.read_bytes()
    footer = read_struct(content[-8 - int.from_bytes(content[-8:-4], "little") : -8])
    metadata = pq.read_metadata(file)
    assert footer[3] == metadata.num_rows
    assert [group[3] for group in footer[4]] == [4, 4, 2]
    for number, group in enumerate(footer[4]):
        for place, chunk in enumerate(group[1]):
            column = metadata.row_group(number).column(place)
            assert b".".join(chunk[3][3]).decode() == column.path_in_schema
            assert chunk[3][6] == column.total_uncompressed_size
            assert chunk[3][12][3] == column.statistics.null_count
    assert footer[6].decode() == metadata.created_by


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"\x00", {}),
        (b"\x15\x02\x00", {1: 1}),
        (b"\x15\x01\x00", {1: -1}),
        (b"\x11\x12\x00", {1: True, 2: False}),
        (b"\x18\x02hi\x00", {1: b"hi"}),
        (b"\x05\x08\x0a\x00", {4: 5}),
        (b"\x19\x25\x02\x04\x00", {1: [1, 2]}),
        (b"\x1c\x15\x02\x00\x00", {1: {1: 1}}),
        (b"\x13\x07\x00", {1: 7}),
        (b"\x17\x00\x00\x00\x00\x00\x00\xf0\x3f\x00", {1: 1.0}),
    ],
)
def test_each_type_is_read(content: bytes, fields: dict[int, object]) -> None:
    assert read_struct(content) == fields


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x15",
        b"\x18\x7fshort\x00",
        b"\x19\xf5\xff\xff\xff\x0f",
        b"\x1b\x00",
        b"\x1c" * 100,
        b"\x15" + b"\xff" * 20,
    ],
)
def test_what_is_no_struct_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="Thrift"):
        read_struct(content)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_struct_or_refused(content: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(read_struct(content), dict)
