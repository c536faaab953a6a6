"""The input's files, looked at before Spark opens them.

Spark reads an empty file as no rows, fills a missing column with nulls, and fails the whole read for one damaged
file or one deviating type. So the driver reads every footer first: a bad file is set aside with its reason, and the
good ones are read with one agreed schema.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import unquote

import pyarrow.fs as pafs
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from emotion_udf.errors import InputError
from emotion_udf.ingest.contract import check_contract, needed_columns
from emotion_udf.ingest.footers import UNREADABLE, Footer, read_columns, type_name
from emotion_udf.schemas import Reason
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.storage import Folder, in_threads
from emotion_udf.window import Window

# A folder that is named for the day of arrival can hold messages of the day before or after, in another time zone.
_PARTITION_SLACK = timedelta(days=1)
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class RefusedFile:
    """A file that cannot be read with the others.

    Attributes:
        uri: The file.
        reason: Why it is refused.
    """

    uri: str
    reason: Reason


@dataclass(frozen=True)
class Inventory:
    """The input's files.

    Attributes:
        files: URIs of the files to read.
        refused: The files that are not read, with reasons.
        size: Bytes of all files, the refused ones included.
        schema: What to read, Hive-style partition keys included.
    """

    files: list[str]
    refused: list[RefusedFile]
    size: int
    schema: StructType


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
    if all(_is_outside_partition(_partitions(root, info), settings) for info in infos):
        raise InputError(
            f"expected folders {settings.date_partition}=YYYY-MM-DD in {root.uri}, as input.date_partition says, "
            "found none; correct or remove input.date_partition"
        )
    infos = [info for info in infos if _may_hold(_partitions(root, info), settings, window)]
    found = in_threads(lambda info: _look_at(root, info, settings, damaged), infos)
    footers = [footer for footer in found if isinstance(footer, Footer)]
    refused = [footer for footer in found if isinstance(footer, RefusedFile)]
    size = sum(info.size for info in infos)
    if not footers:
        if refused:
            raise InputError(
                f"expected Parquet files in {root.uri}, found {len(refused)} that cannot be read and no other; "
                "check the job that writes them"
            )
        return Inventory([], [], size, _bare_schema(settings))
    alike, others = _choose_schema(footers, settings)
    schema, foreign = _common_columns(alike)
    check_contract(schema, settings, root.uri, foreign)
    refused += [RefusedFile(footer.uri, Reason.SCHEMA_MISMATCH) for footer in others]
    return Inventory([footer.uri for footer in alike], refused, size, schema)


def _choose_schema(footers: list[Footer], settings: InputSettings) -> tuple[list[Footer], list[Footer]]:
    """Split off the files that are read together: most files of one shape, if that meets the contract."""
    needed = needed_columns(settings)
    by_shape: dict[tuple[str, ...], list[Footer]] = {}
    for footer in footers:
        by_shape.setdefault(footer.shape(needed), []).append(footer)
    chosen = max(by_shape, key=lambda shape: (_meets_contract(by_shape[shape], settings), len(by_shape[shape])))
    return by_shape.pop(chosen), [footer for others in by_shape.values() for footer in others]


def _meets_contract(alike: list[Footer], settings: InputSettings) -> bool:
    schema, foreign = _common_columns(alike)
    try:
        check_contract(schema, settings, "", foreign)
    except InputError:
        return False
    return True


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
    """Tell whether a file's folder is near the window; a file whose folder tells no date may hold anything."""
    day = _folder_day(partitions, settings)
    return day is None or window.first - _PARTITION_SLACK <= day <= window.last + _PARTITION_SLACK


def _folder_day(partitions: dict[str, str], settings: InputSettings) -> date | None:
    value = partitions.get(settings.date_partition or "", "")
    try:
        return datetime.strptime(value, "%Y-%m-%d").date()
    except ValueError:
        return None


def _is_outside_partition(partitions: dict[str, str], settings: InputSettings) -> bool:
    """Tell a file that lies in no date folder, where the settings say that all do."""
    if settings.date_partition is None or partitions.get(settings.date_partition) == _HIVE_NULL:
        return False
    return _folder_day(partitions, settings) is None


def _look_at(
    root: Folder, info: pafs.FileInfo, settings: InputSettings, damaged: Collection[str]
) -> Footer | RefusedFile:
    uri = root.uri + info.path.removeprefix(root.path)
    if _is_outside_partition(_partitions(root, info), settings):
        return RefusedFile(uri, Reason.SCHEMA_MISMATCH)
    if uri in damaged:
        return RefusedFile(uri, Reason.UNREADABLE_FILE)
    try:
        columns = read_columns(root.system, info.path)
    except UNREADABLE:
        return RefusedFile(uri, Reason.UNREADABLE_FILE)
    if columns is None:
        return RefusedFile(uri, Reason.SCHEMA_MISMATCH)
    return Footer(uri, columns, _partitions(root, info))


def _common_columns(alike: list[Footer]) -> tuple[StructType, dict[str, str]]:
    """Return the columns that all files agree on, Hive keys last, and the types of those that Spark cannot read.

    Other than the needed columns, which are agreed on already, they only serve the quarantine. So those that differ
    between files in type, or in the case of a name, are left out.
    """
    keys = list(alike[0].partitions)
    columns = {name: dtype for footer in alike for name, dtype in footer.columns.items()}
    variants = {(name.lower(), name, type_name(dtype)) for footer in alike for name, dtype in footer.columns.items()}
    left_out = {name for name, count in Counter(lower for lower, _, _ in variants).items() if count > 1}
    left_out |= {key.lower() for key in keys}  # a folder's key hides a column of the same name, in Spark too
    kept = {name: dtype for name, dtype in columns.items() if name.lower() not in left_out}
    fields = [StructField(name, dtype) for name, dtype in kept.items() if not isinstance(dtype, str)]
    foreign = {name: dtype for name, dtype in kept.items() if isinstance(dtype, str)}
    return StructType(fields + [StructField(key, StringType()) for key in keys]), foreign


def _bare_schema(settings: InputSettings) -> StructType:
    """Return just the columns that the settings name, for a window without files."""
    names = dict.fromkeys([*needed_columns(settings), *filter(None, [settings.date_partition])])
    time = settings.columns.created_at
    return StructType([StructField(name, TimestampType() if name == time else StringType()) for name in names])
