"""The input's files, looked at before Spark opens them.

Spark reads an empty file as no rows, fills a missing column with nulls, and fails the whole read for one damaged
file or one deviating type. So the driver reads every footer first: a bad file is set aside with its reason, and the
good ones are read with one agreed schema.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import DataType, StringType, StructField, StructType, TimestampType

from emotion_udf.errors import InputError
from emotion_udf.schemas import Reason
from emotion_udf.settings import InputSettings
from emotion_udf.steps.contract import check_contract, needed_columns
from emotion_udf.storage import Folder, in_threads
from emotion_udf.window import Window

# A folder named for the day of arrival can hold messages of the day before or after, in another time zone.
_PARTITION_SLACK = timedelta(days=1)
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class RefusedFile:
    """A file that cannot be read with the others."""

    uri: str
    reason: Reason


@dataclass(frozen=True)
class Inventory:
    """The input's files.

    Args:
        files: URIs of the files to read.
        refused: The files that are not read, with reasons.
        size: Bytes of all files, the refused ones included.
        schema: What to read, Hive-style partition keys included.
    """

    files: list[str]
    refused: list[RefusedFile]
    size: int
    schema: StructType


@dataclass(frozen=True)
class _Footer:
    uri: str
    columns: dict[str, DataType | None]
    partitions: dict[str, str]

    def types_of(self, names: list[str]) -> tuple[str, ...]:
        """Describe the types of some columns, to compare files; a Hive key is a string column."""
        return tuple("string" if name in self.partitions else _simple(self.columns.get(name)) for name in names)


def take_inventory(root: Folder, settings: InputSettings, window: Window, damaged: Collection[str] = ()) -> Inventory:
    """List the Parquet files of `root` that can hold messages of the window.

    Args:
        root: The input's file or folder.
        settings: The columns that are needed, and how folders are named.
        window: The days of the run.
        damaged: URIs of files that are known to be damaged behind a good footer.

    Raises:
        InputError: There is no such place, no Parquet file, none that can be read, or the files do not have the
            columns that the settings name.
    """
    infos = _list_files(root)
    infos = [info for info in infos if _may_hold(_partitions(root, info), settings, window)]
    found = in_threads(lambda info: _read_footer(root, info, damaged), infos)
    footers = [footer for footer in found if isinstance(footer, _Footer)]
    refused = [footer for footer in found if isinstance(footer, RefusedFile)]
    size = sum(info.size for info in infos)
    if not footers:
        if refused:
            raise InputError(
                f"expected Parquet files in {root.uri}, found {len(refused)} that cannot be read and no other; "
                "check the job that writes them"
            )
        return Inventory([], [], size, _bare_schema(settings))
    needed = list(needed_columns(settings))
    agreed, _ = Counter(footer.types_of(needed) for footer in footers).most_common(1)[0]
    alike = [footer for footer in footers if footer.types_of(needed) == agreed]
    refused += [RefusedFile(f.uri, Reason.SCHEMA_MISMATCH) for f in footers if f.types_of(needed) != agreed]
    schema = _common_schema(alike)
    check_contract(schema, settings, root.uri)
    return Inventory([footer.uri for footer in alike], refused, size, schema)


def _list_files(root: Folder) -> list[pafs.FileInfo]:
    """List data files as Spark would: names that begin with `_` or `.` are not data."""
    info = root.info()
    if info.type == pafs.FileType.NotFound:
        raise InputError(f"expected input at {root.uri}, found nothing; check input.path")
    if info.type == pafs.FileType.File:
        return [info]
    every = root.system.get_file_info(pafs.FileSelector(root.path, recursive=True))
    files = [file for file in every if file.type == pafs.FileType.File and _is_data(root, file)]
    if not files:
        raise InputError(
            f"expected Parquet files in {root.uri}, found none; check input.path and the job that writes it"
        )
    return sorted(files, key=lambda file: file.path)


def _is_data(root: Folder, info: pafs.FileInfo) -> bool:
    parts = info.path.removeprefix(root.path).strip("/").split("/")
    return not any(part.startswith(".") or (part.startswith("_") and "=" not in part) for part in parts)


def _partitions(root: Folder, info: pafs.FileInfo) -> dict[str, str]:
    """Read the Hive keys of a path such as `source=tweet/dt=2026-10-05/part-0.parquet`."""
    folders = info.path.removeprefix(root.path).strip("/").split("/")[:-1]
    return dict(_unquoted(folder) for folder in folders if "=" in folder)


def _unquoted(folder: str) -> tuple[str, str]:
    key, _, value = folder.partition("=")
    return unquote(key), unquote(value)


def _may_hold(partitions: dict[str, str], settings: InputSettings, window: Window) -> bool:
    key = settings.date_partition
    if key is None or partitions.get(key) == _HIVE_NULL:
        return True
    if key not in partitions:
        raise InputError(
            f"expected folders {key}=YYYY-MM-DD, as input.date_partition says, found a file outside of any; "
            "correct or remove input.date_partition"
        )
    try:
        day = date.fromisoformat(partitions[key])
    except ValueError as error:
        raise InputError(f"expected folders {key}=YYYY-MM-DD, found {key}={partitions[key]}") from error
    return window.first - _PARTITION_SLACK <= day <= window.last + _PARTITION_SLACK


def _read_footer(root: Folder, info: pafs.FileInfo, damaged: Collection[str]) -> _Footer | RefusedFile:
    uri = root.uri + info.path.removeprefix(root.path)
    if uri in damaged:
        return RefusedFile(uri, Reason.UNREADABLE_FILE)
    try:
        metadata = pq.read_metadata(info.path, filesystem=root.system)
        columns = _spark_types(metadata)
    except (pa.ArrowException, OSError, ValueError):
        return RefusedFile(uri, Reason.UNREADABLE_FILE)
    if len({name.lower() for name in columns}) < len(columns):
        return RefusedFile(uri, Reason.SCHEMA_MISMATCH)  # `Text` beside `text`: Spark cannot tell them apart
    return _Footer(uri, columns, _partitions(root, info))


def _spark_types(metadata: Any) -> dict[str, DataType | None]:
    """Map a footer's columns to the types that Spark reads them as; None for what it cannot read."""
    physical = {
        metadata.schema.column(i).path: metadata.schema.column(i).physical_type for i in range(metadata.num_columns)
    }
    types: dict[str, DataType | None] = {}
    for field in metadata.schema.to_arrow_schema():
        if physical.get(field.name) == "INT96":
            types[field.name] = TimestampType()
        elif pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            types[field.name] = None  # INT64 nanoseconds, which Spark refuses
        else:
            types[field.name] = _spark_type(field.type)
    return types


def _spark_type(kind: pa.DataType) -> DataType | None:
    try:
        return from_arrow_type(kind.value_type if pa.types.is_dictionary(kind) else kind, prefer_timestamp_ntz=True)
    except Exception:  # pyspark has an error class of its own for each way a type can be foreign to it
        return None


def _simple(kind: DataType | None) -> str:
    return "none" if kind is None else kind.simpleString()


def _common_schema(footers: list[_Footer]) -> StructType:
    """The columns of all files, as far as their types agree; the others are not needed and are left out."""
    types: dict[str, set[str]] = {}
    columns: dict[str, DataType | None] = {}
    for footer in footers:
        for name, kind in footer.columns.items():
            types.setdefault(name, set()).add(_simple(kind))
            columns[name] = kind
    fields = [StructField(n, kind) for n, kind in columns.items() if kind is not None and len(types[n]) == 1]
    keys = {key: None for footer in footers for key in footer.partitions}
    return StructType(
        [field for field in fields if field.name not in keys] + [StructField(key, StringType()) for key in keys]
    )


def _bare_schema(settings: InputSettings) -> StructType:
    """Just what the settings name, for a window without files."""
    columns = settings.columns
    return StructType(
        [
            StructField(name, TimestampType() if name == columns.created_at else StringType())
            for name in needed_columns(settings)
        ]
        + ([StructField(settings.date_partition, StringType())] if settings.date_partition else [])
    )
