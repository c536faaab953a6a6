"""Parquet footers, in the types that Spark reads the columns as."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import DataType, StringType, TimestampType

UNREADABLE: Final = (pa.ArrowException, OSError, ValueError)
"""The errors of `read_columns` for a file that is no whole Parquet file."""


@dataclass(frozen=True)
class Footer:
    """The footer of a file.

    Attributes:
        uri: The file.
        columns: The types of its columns as Spark reads them, or the name of a type that Spark cannot read.
        partitions: The Hive keys of its folders.
    """

    uri: str
    columns: dict[str, DataType | str]
    partitions: dict[str, str]

    def shape(self, needed: Collection[str]) -> tuple[str, ...]:
        """Return what files that are read together share: the types of the needed columns, and the Hive keys."""
        own = [f"{name} {type_name(self.columns.get(name, 'none'))}" for name in needed if name not in self.partitions]
        return (*own, *self.partitions)


def read_columns(system: pafs.FileSystem, path: str) -> dict[str, DataType | str] | None:
    """Read the types of a file's columns.

    Returns:
        Each column's type as Spark reads it, or the name of a type that Spark cannot read. None when two columns
        have one name, or names such as `Text` and `text` that Spark cannot tell apart.

    Raises:
        UNREADABLE: It is no whole Parquet file.
    """
    metadata = pq.read_metadata(path, filesystem=system)
    fields = list(metadata.schema.to_arrow_schema())
    if len({field.name.lower() for field in fields}) < len(fields):
        return None
    int96 = {column.path for column in map(metadata.schema.column, range(metadata.num_columns)) if _is_int96(column)}
    # Spark reads an INT96 as an instant; pyarrow shows it as nanoseconds without a zone.
    return {field.name: TimestampType() if field.name in int96 else _spark_type(field.type) for field in fields}


def _is_int96(column: Any) -> bool:
    return bool(column.physical_type == "INT96")


def _spark_type(dtype: pa.DataType) -> DataType | str:
    """Return the type that Spark reads a Parquet column as, or the name of one that it cannot read."""
    if pa.types.is_dictionary(dtype):
        return _spark_type(dtype.value_type)
    if pa.types.is_string_view(dtype):
        return StringType()
    if any(_is_refused_by_spark(part) or _has_duplicate_fields(part) for part in _with_parts(dtype)):
        return str(dtype)
    try:
        return from_arrow_type(dtype, prefer_timestamp_ntz=True)
    except Exception:  # pyspark has an error class of its own for each way a type can be foreign to it
        return str(dtype)


def _with_parts(dtype: pa.DataType) -> list[pa.DataType]:
    """List a type and, for a nested one, all types inside it."""
    if not pa.types.is_nested(dtype):
        return [dtype]
    return [dtype, *(part for i in range(dtype.num_fields) for part in _with_parts(dtype.field(i).type))]


def _has_duplicate_fields(dtype: pa.DataType) -> bool:
    """Tell a struct whose fields Spark cannot tell apart, such as `a` beside `A`."""
    names = [dtype.field(i).name.lower() for i in range(dtype.num_fields)] if pa.types.is_struct(dtype) else []
    return len(set(names)) < len(names)


def _is_refused_by_spark(dtype: pa.DataType) -> bool:
    """Tell types that pyspark would translate but Spark's Parquet reader does not accept."""
    nanoseconds = pa.types.is_timestamp(dtype) and dtype.unit == "ns"
    return bool(nanoseconds or pa.types.is_time(dtype) or pa.types.is_decimal256(dtype))


def type_name(dtype: DataType | str) -> str:
    """Name a type of `read_columns`."""
    return dtype if isinstance(dtype, str) else dtype.simpleString()
