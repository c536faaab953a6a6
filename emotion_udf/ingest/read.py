"""Input -> the raw rows of the window."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    AtomicType,
    BinaryType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
)

from emotion_udf.errors import InputError
from emotion_udf.ingest.contract import check_contract
from emotion_udf.ingest.groups import ReadGroup
from emotion_udf.ingest.inventory import Inventory, take_inventory
from emotion_udf.ingest.memory import read_limits
from emotion_udf.ingest.times import StoredTime, wall_clock_bounds
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.storage import open_folder
from emotion_udf.window import Window

MOST_NAME_CHARS: Final = 1_000
"""Characters of an id or of a dimension's value; a longer one is a mistake of the input."""

# Of a refused row's own text. More is not needed to find the row, and a single text can be larger than a worker.
_MOST_RAW_CHARS: Final = 10_000

_LEFT_OUT: Final = "… left out"
"""The field of a refused row that names the columns it lacks."""


@dataclass(frozen=True)
class RawRows:
    """The messages of a window, as they came, but for what is too long.

    Attributes:
        rows: `feedback_id`, `text`, `created_at`, the dimensions, `event_date`, `raw` (the whole row as a struct),
            `file`, and `is_out_of_range` where the time cannot be held. A text, an id and a dimension are cut to one
            character more than they may have, before anything copies them.
        inventory: The files behind them; none for a catalog table.
    """

    rows: DataFrame
    inventory: Inventory


def read_window(spark: SparkSession, settings: InputSettings, window: Window) -> RawRows:
    """Read the messages whose `created_at` falls in the window.

    A message without `created_at` belongs to no day; it is taken along under the window's last day (or under the
    day of its folder, where `input.date_partition` tells it), so that it ends in quarantine and not nowhere.

    Args:
        spark: The session.
        settings: Where the input is and what its columns are called.
        window: The days to read.

    Raises:
        InputError: The input is missing or does not have the columns that the settings name.
        StorageError: The storage does not answer.
    """
    if settings.table is not None:
        return RawRows(_read_table(spark, settings, settings.table, window), Inventory(None, settings, window))
    assert settings.path is not None, "settings hold a path or a table"
    inventory = take_inventory(open_folder(settings.path, settings.timeout_s), settings, window, read_limits(spark))
    return RawRows(read_files(spark, inventory), inventory)


def read_files(spark: SparkSession, inventory: Inventory) -> DataFrame:
    """Read the messages of the window from the files of an inventory (see `read_window`)."""
    settings, window, schema = inventory.settings, inventory.window, inventory.schema
    if not inventory.groups:
        return _messages(spark.createDataFrame([], schema), schema, settings, window, None)
    read = []
    for group in inventory.groups:
        unread = {name for footer in group.footers for name in footer.columns} - set(schema.fieldNames())
        source = _open_group(spark, inventory, group)
        read.append(_messages(source, schema, settings, window, group.footers[0].stored, sorted(unread)))
    return reduce(DataFrame.union, read)


def _open_group(spark: SparkSession, inventory: Inventory, group: ReadGroup) -> DataFrame:
    time = inventory.settings.columns.created_at
    stored = group.footers[0].stored
    as_integer = stored is not None and stored.as_integer
    in_files = [StructField(f.name, LongType()) if as_integer and f.name == time else f for f in group.schema]
    reader = spark.read.schema(StructType(in_files))
    any_file = group.footers[0].file
    if any_file.keys:
        reader = reader.option("basePath", any_file.above_keys)  # so that Hive-style folders become columns
    source = reader.parquet(*(_literal_path(footer.file.uri) for footer in group.footers))
    for key in any_file.keys if any_file.has_encoded_keys else ():
        bytes_of_path = F.encode(F.col(_quoted(key)), "ISO-8859-1")
        source = source.withColumn(key, F.decode(bytes_of_path, "UTF-8"))
    return source


def _read_table(spark: SparkSession, settings: InputSettings, name: str, window: Window) -> DataFrame:
    try:
        table = spark.table(name)
        schema = table.schema
    except AnalysisException as error:
        raise InputError(
            f"expected a table {name} in Spark's catalog, found none that can be read "
            f"({error.getCondition()}); check input.table and the catalog settings of spark-submit"
        ) from error
    check_contract({field.name: field.dataType for field in schema}, settings, name)
    if settings.date_partition is not None and settings.date_partition not in schema.fieldNames():
        raise InputError(
            f"expected a column {settings.date_partition} in {name}, as input.date_partition says, found none; correct "
            "or remove input.date_partition"
        )
    return _messages(table, schema, settings, window, None)


def _messages(
    source: DataFrame,
    whole: StructType,
    settings: InputSettings,
    window: Window,
    stored: StoredTime | None,
    unread: Sequence[str] = (),
) -> DataFrame:
    """Select the window's messages from rows of one form.

    Args:
        source: The rows.
        whole: The columns of `raw`, in the types that they have there.
        settings: What the columns are called.
        window: The days.
        stored: The form of the times in the files; None where Spark knows it.
        unread: Columns of the files that are not in `whole`.
    """
    columns: dict[str, Column] = {name: F.col(_quoted(name)) for name in source.columns}
    time = settings.columns.created_at
    out_of_range = F.lit(False)
    left_out = [F.lit(name) for name in unread]
    is_wall_clock = isinstance(source.schema[time].dataType, TimestampNTZType)
    if stored is not None and stored.as_integer:
        integers = columns[time]
        columns[time] = stored.timestamp(integers)
        out_of_range = integers.isNotNull() & columns[time].isNull()
        moment = F.concat(F.lit(f"{time} "), integers, F.lit(f" {stored.unit}"))
        left_out.append(F.when(out_of_range, moment))
        is_wall_clock = not stored.is_instant
    if is_wall_clock:
        columns[time] = columns[time].cast("timestamp_ntz")
    local, created_at = _clock(columns[time], is_wall_clock, window)
    day = columns[settings.date_partition].try_cast("date") if settings.date_partition else F.lit(None).cast("date")
    return source.where(_in_window(columns[time], is_wall_clock, day, window)).select(
        _cut(_name(columns[settings.columns.id], source, settings.columns.id), MOST_NAME_CHARS).alias("feedback_id"),
        _cut(columns[settings.columns.text], settings.max_text_chars).alias("text"),
        created_at.alias("created_at"),
        *(_dimension(columns, column).alias(name) for name, column in settings.dimensions.items()),
        F.coalesce(F.to_date(local), day, F.lit(window.last)).alias("event_date"),
        _whole_row(columns, source, whole, left_out).alias("raw"),
        F.nullif(F.input_file_name(), F.lit("")).alias("file"),
        out_of_range.alias("is_out_of_range"),
    )


def _clock(time: Column, is_wall_clock: bool, window: Window) -> tuple[Column, Column]:
    """Return a message's time on the wall of the settings' zone, and the same as an instant."""
    if is_wall_clock:
        # The session's zone is UTC, so the cast keeps the wall clock and the second step moves it.
        return time, F.to_utc_timestamp(time.cast("timestamp"), window.timezone)
    return F.from_utc_timestamp(time, window.timezone), time


def _in_window(time: Column, is_wall_clock: bool, day: Column, window: Window) -> Column:
    if is_wall_clock:
        first, after = (F.lit(str(end)).cast("timestamp_ntz") for end in wall_clock_bounds(window))
    else:
        first, after = F.lit(window.start), F.lit(window.end)
    undated = time.isNull() & F.coalesce(day.between(F.lit(window.first), F.lit(window.last)), F.lit(True))
    return ((time >= first) & (time < after)) | undated


def _name(column: Column, source: DataFrame, name: str) -> Column:
    """Return an id as a string, bytes in hexadecimal digits."""
    if isinstance(source.schema[name].dataType, BinaryType):
        return F.lower(F.hex(F.substring(column, 1, MOST_NAME_CHARS)))
    return column.cast("string")


def _dimension(columns: Mapping[str, Column], column: str) -> Column:
    return _cut(columns[column].cast("string"), MOST_NAME_CHARS) if column in columns else F.lit(None).cast("string")


def _cut(column: Column, most: int) -> Column:
    """Cut a longer string to one character more than `most`, which shows that it was longer."""
    return F.when(F.octet_length(column) > most, F.substring(column, 1, most + 1)).otherwise(column)


def _whole_row(
    columns: Mapping[str, Column], source: DataFrame, whole: StructType, left_out: Sequence[Column]
) -> Column:
    """Return a row for the quarantine: as it came, but for what is too long, and with a note of what is left out."""
    fields = []
    notes = list(left_out)
    for field in whole:
        column = _raw(columns, source, field)
        if not isinstance(field.dataType, AtomicType):
            is_short = F.octet_length(F.to_json(column)) <= _MOST_RAW_CHARS
            notes.append(F.when(~is_short, F.lit(field.name)))
            column = F.when(is_short, column)
        fields.append(column.alias(field.name))
    return F.struct(*fields, F.nullif(F.concat_ws(", ", *notes), F.lit("")).alias(_LEFT_OUT))


def _raw(columns: Mapping[str, Column], source: DataFrame, field: StructField) -> Column:
    """Return a column for the quarantine, as text that says so where it is cut."""
    is_binary = isinstance(field.dataType, BinaryType)
    shown_as = StringType() if is_binary else field.dataType
    if field.name not in columns:
        return F.lit(None).cast(shown_as)
    column = columns[field.name]
    dtype = source.schema[field.name].dataType
    size = F.octet_length(column)
    if isinstance(dtype, BinaryType):
        left_out = F.concat(F.lit("… "), size, F.lit(" bytes left out"))
        return F.when(size > _MOST_RAW_CHARS, left_out).otherwise(F.base64(column))
    if isinstance(dtype, StringType):
        head = F.substring(column, 1, _MOST_RAW_CHARS)
        cut = F.concat(head, F.lit("… "), size, F.lit(" bytes in all"))
        return F.when(size > _MOST_RAW_CHARS, cut).otherwise(column)
    return column if dtype == shown_as else column.cast(shown_as)


def _literal_path(uri: str) -> str:
    """Keep Spark from reading a file name as a pattern."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", uri)


def _quoted(column: str) -> str:
    """Quote a column's name, so that SQL takes its dots literally."""
    return "`" + column.replace("`", "``") + "`"
