"""The types of Parquet columns as Spark reads them."""

from typing import Any, Final

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import (
    BinaryType,
    DataType,
    DecimalType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

# Spark has no unsigned integers, and reads each as the next wider type.
_UNSIGNED: Final[dict[pa.DataType, DataType]] = {
    pa.uint8(): ShortType(),
    pa.uint16(): IntegerType(),
    pa.uint32(): LongType(),
    pa.uint64(): DecimalType(20, 0),
}


def spark_type(dtype: pa.DataType) -> DataType | str:
    """Return the type that Spark reads a Parquet column as, or the name of one that it cannot read.

    A timestamp in nanoseconds is named: Spark has no such type, and `created_at` alone is read all the same.
    """
    if pa.types.is_dictionary(dtype):
        return spark_type(dtype.value_type)
    if isinstance(dtype, pa.BaseExtensionType):
        return spark_type(dtype.storage_type)
    if pa.types.is_string_view(dtype):
        return StringType()
    if pa.types.is_binary_view(dtype):
        return BinaryType()
    if dtype in _UNSIGNED:
        return _UNSIGNED[dtype]
    if any(_is_refused_by_spark(part) or _has_duplicate_fields(part) for part in _with_parts(dtype)):
        return str(dtype)
    try:
        return from_arrow_type(dtype, prefer_timestamp_ntz=True)
    except Exception:  # pyspark has an error class of its own for each way a type can be foreign to it
        return str(dtype)


def time_type(dtype: pa.DataType) -> DataType:
    """Return Spark's type of a timestamp, whatever its unit."""
    return TimestampNTZType() if dtype.tz is None else TimestampType()


def type_name(dtype: DataType | str) -> str:
    """Name a type of `spark_type`."""
    return dtype if isinstance(dtype, str) else dtype.simpleString()


def _with_parts(dtype: pa.DataType) -> list[pa.DataType]:
    """List a type and, for a nested one, all types inside it."""
    if not pa.types.is_nested(dtype):
        return [dtype]
    return [dtype, *(part for i in range(dtype.num_fields) for part in _with_parts(dtype.field(i).type))]


def _has_duplicate_fields(dtype: pa.DataType) -> bool:
    """Tell a struct whose fields Spark cannot tell apart, such as `a` beside `A`."""
    names = [dtype.field(i).name.lower() for i in range(dtype.num_fields)] if pa.types.is_struct(dtype) else []
    return len(set(names)) < len(names)


def _is_refused_by_spark(dtype: Any) -> bool:
    """Tell types that pyspark would translate but Spark's Parquet reader does not accept."""
    nanoseconds = pa.types.is_timestamp(dtype) and dtype.unit == "ns"
    return bool(nanoseconds or pa.types.is_time(dtype) or pa.types.is_decimal256(dtype))
