"""Files of one form, which Spark reads together, and the columns that all of an input has in common."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import Final

from pyspark.sql.types import AtomicType, DataType, StringType, StructField, StructType, TimestampType

from emotion_udf.ingest.column_types import type_name
from emotion_udf.ingest.contract import needed_columns
from emotion_udf.ingest.footers import Footer
from emotion_udf.settings.nightly import InputSettings

# Bytes of a row, on average, of the columns that only the quarantine would show.
_MOST_EXTRA_BYTES: Final = 64 * 1024


@dataclass(frozen=True)
class ReadGroup:
    """Files of one form, which Spark reads together.

    Attributes:
        footers: The files.
        schema: What to read of them, Hive-style partition keys included, in the types that are in the files.
    """

    footers: list[Footer]
    schema: StructType


def group_files(footers: Sequence[Footer], settings: InputSettings) -> list[ReadGroup]:
    """Put files together whose needed columns have the same types, and whose folders have the same keys."""
    needed = needed_columns(settings)
    by_shape: dict[tuple[str, ...], list[Footer]] = {}
    for footer in footers:
        by_shape.setdefault(footer.shape(needed), []).append(footer)
    return [ReadGroup(alike, _common_columns(alike, needed)) for alike in by_shape.values()]


def whole_schema(groups: Sequence[ReadGroup], settings: InputSettings) -> StructType:
    """Return the columns of a whole row: those of every group, as a string where groups have different types."""
    if not groups:
        return _bare_schema(settings)
    by_name: dict[str, list[StructField]] = {}
    for group in groups:
        for column in group.schema:
            by_name.setdefault(column.name.lower(), []).append(column)
    return StructType([column for same_name in by_name.values() for column in _merged(same_name)])


def _common_columns(alike: Sequence[Footer], needed: Collection[str]) -> StructType:
    """Return the columns that all files agree on, Hive keys last.

    Other than the needed columns, which are agreed on already, they only serve the quarantine. So those that Spark
    cannot read, that hold pictures or the like, or that differ between files in type or in the case of a name, are
    left out.
    """
    keys = alike[0].file.keys
    columns: dict[str, DataType | str] = {name: dtype for footer in alike for name, dtype in footer.columns.items()}
    variants = {(name.lower(), name, type_name(dtype)) for footer in alike for name, dtype in footer.columns.items()}
    left_out = {name for name, count in Counter(lower for lower, _, _ in variants).items() if count > 1}
    left_out |= _too_large(alike, needed)
    left_out |= {key.lower() for key in keys}  # a folder's key hides a column of the same name, in Spark too
    kept = [(name, dtype) for name, dtype in columns.items() if name.lower() not in left_out]
    fields = [StructField(name, dtype) for name, dtype in kept if not isinstance(dtype, str)]
    return StructType(fields + [StructField(key, StringType()) for key in keys])


def _too_large(alike: Sequence[Footer], needed: Collection[str]) -> set[str]:
    """Return the extra columns, in small letters, that leave the others no room: the largest ones."""
    sizes: Counter[str] = Counter()
    for footer in alike:
        for name, size in footer.bytes_per_row.items():
            if name not in needed:
                sizes[name.lower()] = max(sizes[name.lower()], ceil(size))
    smallest_first = sorted(sizes.items(), key=lambda item: item[1])
    together = accumulate(size for _, size in smallest_first)
    return {name for (name, _), size in zip(smallest_first, together, strict=True) if size > _MOST_EXTRA_BYTES}


def _merged(fields: Sequence[StructField]) -> list[StructField]:
    """Return the column that groups of files have in common, as a string where its types differ."""
    first = fields[0]
    if any(other.name != first.name for other in fields):
        return []
    if all(other.dataType == first.dataType for other in fields):
        return [first]
    return [StructField(first.name, StringType())] if all(isinstance(f.dataType, AtomicType) for f in fields) else []


def _bare_schema(settings: InputSettings) -> StructType:
    """Return just the columns that the settings name, for a window without files."""
    named = [*needed_columns(settings), *settings.pseudonymise, *filter(None, [settings.date_partition])]
    names = dict.fromkeys(named)
    time = settings.columns.created_at
    return StructType([StructField(name, TimestampType() if name == time else StringType()) for name in names])
