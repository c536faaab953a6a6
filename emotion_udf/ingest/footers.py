"""Parquet footers: the types of a file's columns, and what its row groups hold of the window."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyspark.sql.types import DataType, TimestampType

from emotion_udf.ingest.column_types import spark_type, time_type, type_name
from emotion_udf.ingest.listing import InputFile
from emotion_udf.ingest.thrift import Fields, read_struct
from emotion_udf.ingest.times import RowGroup, StoredTime, count_in_window
from emotion_udf.window import Window

_MAGIC: Final = b"PAR1"
_TAIL: Final = 64 * 1024  # read at once; most footers are smaller

# By their numbers in Parquet: none, Snappy, gzip, LZ4, Zstandard, LZ4 raw. Brotli and LZO need a library of their own.
_STANDARD_CODECS: Final = {0, 1, 2, 5, 6, 7}

_PAGE_ROWS: Final = 1_024


@dataclass(frozen=True)
class Footer:
    """The footer of a file.

    Attributes:
        file: The file.
        columns: The types of its columns as Spark reads them, or the name of a type that Spark cannot read.
        stored: The form of its times; None where the column is missing or no timestamp.
        row_groups: Its row groups, in their order.
        codecs: What compresses its columns and does not come with every Spark, by Parquet's numbers.
        bytes_per_row: Bytes of a row of each column before compression, in the row group with the largest rows.
        window_rows: Rows that belong to the window.
    """

    file: InputFile
    columns: dict[str, DataType | str]
    stored: StoredTime | None
    row_groups: tuple[RowGroup, ...]
    codecs: frozenset[int] = frozenset()
    bytes_per_row: dict[str, float] = field(default_factory=dict)
    window_rows: int = 0

    def shape(self, needed: Collection[str]) -> tuple[str, ...]:
        """Return what files that are read together share: the types of the needed columns, and the Hive keys."""
        keys = self.file.keys
        own = [f"{name} {type_name(self.columns.get(name, 'none'))}" for name in needed if name not in keys]
        return (*own, str(self.stored), str(self.file.has_encoded_keys), self.file.above_keys, *keys)

    def is_too_large(self, needed: Collection[str], most: int) -> bool:
        """Tell a file with a page of more than `most` bytes: writers put up to 1,024 values of any size into one."""
        rows = min(_PAGE_ROWS, max((group.rows for group in self.row_groups), default=0))
        return sum(self.bytes_per_row.get(name, 0) for name in needed) * rows > most

    def is_outside(self, window: Window, undated: bool) -> bool:
        """Tell a file that certainly holds no row of the window."""
        if self.stored is None:
            return not any(group.rows for group in self.row_groups)
        return all(group.rows_in_window(self.stored, window, undated) == 0 for group in self.row_groups)


def read_footer(system: pafs.FileSystem, file: InputFile, time_column: str) -> Footer | None:
    """Read the footer of a file.

    Returns:
        The footer; None when two columns have one name, or names such as `Text` and `text` that Spark cannot tell
        apart.

    Raises:
        READ_ERRORS: It is no whole Parquet file, or cannot be opened.
    """
    content = _footer_bytes(system, file)
    schema = pq.read_metadata(pa.BufferReader(_MAGIC + content + len(content).to_bytes(4, "little") + _MAGIC)).schema
    fields = {field.name: field.type for field in schema.to_arrow_schema()}
    if len({name.lower() for name in fields}) < len(schema.to_arrow_schema()):
        return None
    leaves = map(schema.column, range(len(schema)))
    int96 = {leaf.path for leaf in leaves if leaf.physical_type == "INT96"}
    # Spark reads an INT96 as an instant; pyarrow shows it as nanoseconds without a zone.
    columns = {name: TimestampType() if name in int96 else spark_type(dtype) for name, dtype in fields.items()}
    groups = _row_groups(content, time_column)
    stored = None
    if time_column in fields and pa.types.is_timestamp(fields[time_column]):
        columns[time_column] = TimestampType() if time_column in int96 else time_type(fields[time_column])
        stored = _stored_time(fields[time_column], time_column in int96, [group.times for group in groups])
    return Footer(
        file,
        columns,
        stored,
        tuple(group.times for group in groups),
        frozenset(codec for group in groups for codec in group.codecs) - _STANDARD_CODECS,
        {name: max((group.bytes_per_row.get(name, 0.0) for group in groups), default=0.0) for name in fields},
    )


def _footer_bytes(system: pafs.FileSystem, file: InputFile) -> bytes:
    with system.open_input_file(file.path) as stream:
        size = stream.size()
        tail = bytes(stream.read_at(min(size, _TAIL), max(0, size - _TAIL)))
        if size < 12 or tail[-4:] != _MAGIC:
            raise ValueError("the file does not end as a Parquet file")
        length = int.from_bytes(tail[-8:-4], "little")
        if length + 12 > size:
            raise ValueError("the file is shorter than its footer")
        return bytes(stream.read_at(length, size - 8 - length)) if length + 8 > len(tail) else tail[-8 - length : -8]


@dataclass(frozen=True)
class _RowGroup:
    """A row group, by the fields of Parquet's Thrift definition."""

    times: RowGroup
    codecs: frozenset[int]
    bytes_per_row: dict[str, float]


# The numbers of fields in parquet.thrift, https://github.com/apache/parquet-format.
_ROW_GROUPS = 4  # FileMetaData
_CHUNKS, _ROWS = 1, 3  # RowGroup
_CHUNK = 3  # ColumnChunk
_PATH, _CODEC, _UNCOMPRESSED, _STATISTICS = 3, 4, 6, 12  # ColumnMetaData
_OLD_MAX, _OLD_MIN, _NULLS, _MAX, _MIN = 1, 2, 3, 5, 6  # Statistics


def _row_groups(footer: bytes, time_column: str) -> list[_RowGroup]:
    """Read the row groups of a footer.

    Raises:
        ValueError: The footer is damaged.
    """
    try:
        return [_row_group(group, time_column) for group in read_struct(footer).get(_ROW_GROUPS, [])]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError("the footer lacks a field of its row groups, or has another type in its place") from error


def _row_group(group: Fields, time_column: str) -> _RowGroup:
    rows = int(group[_ROWS])
    chunks = [chunk[_CHUNK] for chunk in group[_CHUNKS]]
    sizes: dict[str, float] = {}
    times = RowGroup(rows)
    for chunk in chunks:
        path = [part.decode() for part in chunk[_PATH]]
        sizes[path[0]] = sizes.get(path[0], 0.0) + chunk[_UNCOMPRESSED] / max(rows, 1)
        if path == [time_column]:
            times = _times(rows, chunk.get(_STATISTICS, {}))
    return _RowGroup(times, frozenset(chunk[_CODEC] for chunk in chunks), sizes)


def _times(rows: int, statistics: Fields) -> RowGroup:
    low = statistics.get(_MIN, statistics.get(_OLD_MIN))
    high = statistics.get(_MAX, statistics.get(_OLD_MAX))
    nulls = None if statistics.get(_NULLS) is None else int(statistics[_NULLS])
    if low is None or high is None or len(low) != 8 or len(high) != 8:  # an INT96 has twelve bytes and no order
        return RowGroup(rows, nulls=nulls)
    smallest, largest = (int.from_bytes(end, "little", signed=True) for end in (low, high))
    return RowGroup(rows, smallest, largest, nulls)


def _stored_time(dtype: pa.DataType, is_int96: bool, groups: Collection[RowGroup]) -> StoredTime:
    if is_int96:
        return StoredTime("us", is_instant=True)  # as `_read_times` asks pyarrow for
    stored = StoredTime(dtype.unit, is_instant=dtype.tz is not None)
    ends = [(group.low, group.high) for group in groups if group.rows != group.nulls]
    known = all(low is not None and high is not None and stored.is_in_range(low, high) for low, high in ends)
    return replace(stored, as_integer=stored.unit == "ns" or (stored.unit == "ms" and not known))


def count_window_rows(
    system: pafs.FileSystem, footer: Footer, time_column: str, window: Window, undated: bool, is_true: bool = True
) -> int:
    """Count a file's rows of the window, by its footer where that is certain, otherwise by its times.

    Args:
        system: Holds the file.
        footer: Its footer.
        time_column: The column of the times.
        window: The days.
        undated: Whether a row without a time belongs to them.
        is_true: Whether to believe the footer's statistics.

    Raises:
        READ_ERRORS: The times cannot be read.
    """
    assert footer.stored is not None, "files without times are refused before"
    known = [group.rows_in_window(footer.stored, window, undated) if is_true else None for group in footer.row_groups]
    straddling = [i for i, rows in enumerate(known) if rows is None]
    count = sum(rows for rows in known if rows is not None)
    if straddling:
        with pq.ParquetFile(footer.file.path, filesystem=system, coerce_int96_timestamp_unit="us") as parquet:
            for i in straddling:
                times = parquet.read_row_group(i, columns=[time_column], use_threads=False)[time_column]
                count += count_in_window(times, footer.stored, window, undated)
    return count


def check_content(system: pafs.FileSystem, footer: Footer, columns: Collection[str]) -> None:
    """Decode a file's columns.

    Raises:
        READ_ERRORS: They cannot be decoded.
    """
    with pq.ParquetFile(footer.file.path, filesystem=system) as parquet:
        present = [name for name in columns if name in footer.columns]
        for _ in parquet.iter_batches(batch_size=1_000, columns=present, use_threads=False):
            pass
