"""Parquet footers: the types of a file's columns, and what its row groups hold of the window."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyspark.sql.types import DataType, TimestampType

from emotion_udf.ingest.column_types import spark_type, time_type, type_name
from emotion_udf.ingest.listing import InputFile
from emotion_udf.ingest.times import RowGroup, StoredTime, count_in_window
from emotion_udf.window import Window

_STANDARD_CODECS: Final = {"UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4", "LZ4_RAW"}

_PAGE_ROWS: Final = 1_024
_MOST_PAGE_BYTES: Final = 512 * 1024 * 1024


@dataclass(frozen=True)
class Footer:
    """The footer of a file.

    Attributes:
        file: The file.
        columns: The types of its columns as Spark reads them, or the name of a type that Spark cannot read.
        stored: The form of its times; None where the column is missing or no timestamp.
        row_groups: Its row groups, in their order.
        codecs: What compresses its columns and does not come with every Spark.
        bytes_per_row: Bytes of a row of each column before compression, in the row group with the largest rows.
        window_rows: Rows that belong to the window.
    """

    file: InputFile
    columns: dict[str, DataType | str]
    stored: StoredTime | None
    row_groups: tuple[RowGroup, ...]
    codecs: frozenset[str] = frozenset()
    bytes_per_row: dict[str, float] = field(default_factory=dict)
    window_rows: int = 0

    def shape(self, needed: Collection[str]) -> tuple[str, ...]:
        """Return what files that are read together share: the types of the needed columns, and the Hive keys."""
        keys = self.file.keys
        own = [f"{name} {type_name(self.columns.get(name, 'none'))}" for name in needed if name not in keys]
        return (*own, str(self.stored), str(self.file.has_encoded_keys), *keys)

    def is_too_large(self, needed: Collection[str]) -> bool:
        """Tell a file of which a worker could not hold one page: writers put up to 1,024 values of any size into it."""
        rows = min(_PAGE_ROWS, max((group.rows for group in self.row_groups), default=0))
        return any(self.bytes_per_row.get(name, 0) * rows > _MOST_PAGE_BYTES for name in needed)

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
    metadata = pq.read_metadata(file.path, filesystem=system)
    fields = {field.name: field.type for field in metadata.schema.to_arrow_schema()}
    if len({name.lower() for name in fields}) < len(metadata.schema.to_arrow_schema()):
        return None
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    int96 = {leaf.path for leaf in leaves if leaf.physical_type == "INT96"}
    # Spark reads an INT96 as an instant; pyarrow shows it as nanoseconds without a zone.
    columns = {name: TimestampType() if name in int96 else spark_type(dtype) for name, dtype in fields.items()}
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    at = next((i for i, leaf in enumerate(leaves) if leaf.path == time_column), None)
    stored, times = None, tuple(RowGroup(group.num_rows) for group in groups)
    if at is not None and pa.types.is_timestamp(fields.get(time_column)):
        columns[time_column] = TimestampType() if time_column in int96 else time_type(fields[time_column])
        times = tuple(_row_group(group, at) for group in groups)
        stored = _stored_time(fields[time_column], time_column in int96, times)
    return Footer(
        file,
        columns,
        stored,
        times,
        frozenset(chunk.compression for group in groups for chunk in _chunks(group)) - _STANDARD_CODECS,
        {name: _bytes_per_row(groups, name) for name in fields},
    )


def _bytes_per_row(groups: Sequence[Any], name: str) -> float:
    """Return the bytes of a row of a column, nested ones included, in the row group with the largest rows."""
    sizes = [
        (group.num_rows, sum(c.total_uncompressed_size for c in _chunks(group) if _is_of(c.path_in_schema, name)))
        for group in groups
    ]
    return max((size / rows for rows, size in sizes if rows), default=0.0)


def _chunks(group: Any) -> list[Any]:
    return [group.column(i) for i in range(group.num_columns)]


def _is_of(path: str, name: str) -> bool:
    return path == name or path.startswith(name + ".")


def _row_group(group: Any, at: int) -> RowGroup:
    statistics = group.column(at).statistics
    if statistics is None:
        return RowGroup(group.num_rows)
    nulls = statistics.null_count if statistics.has_null_count else None
    if not statistics.has_min_max or statistics.physical_type != "INT64":
        return RowGroup(group.num_rows, nulls=nulls)
    return RowGroup(group.num_rows, statistics.min_raw, statistics.max_raw, nulls)


def _stored_time(dtype: pa.DataType, is_int96: bool, groups: Collection[RowGroup]) -> StoredTime:
    if is_int96:
        return StoredTime("us", is_instant=True)  # as `_read_times` asks pyarrow for
    stored = StoredTime(dtype.unit, is_instant=dtype.tz is not None)
    ends = [(group.low, group.high) for group in groups if group.rows != group.nulls]
    known = all(low is not None and high is not None and stored.is_in_range(low, high) for low, high in ends)
    return replace(stored, as_integer=stored.unit == "ns" or (stored.unit == "ms" and not known))


def count_window_rows(system: pafs.FileSystem, footer: Footer, time_column: str, window: Window, undated: bool) -> int:
    """Count a file's rows of the window, by its footer where that is certain, otherwise by its times.

    Raises:
        READ_ERRORS: The times cannot be read.
    """
    assert footer.stored is not None, "files without times are refused before"
    known = [group.rows_in_window(footer.stored, window, undated) for group in footer.row_groups]
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
