"""Input -> the raw rows of the window."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import unquote

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType, TimestampNTZType

from emotion_udf.errors import InputError
from emotion_udf.ingest.contract import check_contract
from emotion_udf.ingest.inventory import Inventory, take_inventory
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.storage import open_folder
from emotion_udf.window import Window


@dataclass(frozen=True)
class RawRows:
    """The messages of a window, as they came.

    Attributes:
        rows: `feedback_id`, `text`, `created_at`, the dimensions, `event_date`, `raw` (the whole row as a struct)
            and `file`.
        inventory: The files behind them; none for a catalog table.
    """

    rows: DataFrame
    inventory: Inventory


def read_window(spark: SparkSession, settings: InputSettings, window: Window, damaged: Collection[str] = ()) -> RawRows:
    """Read the messages whose `created_at` falls in the window.

    A message without `created_at` belongs to no day; it is taken along under the window's last day (or under the
    day of its folder, where `input.date_partition` tells it), so that it ends in quarantine and not nowhere.

    Args:
        spark: The session.
        settings: Where the input is and what its columns are called.
        window: The days to read.
        damaged: URIs of files to leave out, as `damaged_file` found them.

    Raises:
        InputError: The input is missing or does not have the columns that the settings name.
    """
    if settings.table is not None:
        source, inventory = _read_table(spark, settings, settings.table)
    else:
        assert settings.path is not None, "settings hold a path or a table"
        source, inventory = _read_files(spark, settings, settings.path, window, damaged)
    created_at = _instant(source.schema, settings, window)
    rows = source.where(_in_window(created_at, settings, window)).select(
        F.col(_quoted(settings.columns.id)).cast("string").alias("feedback_id"),
        F.col(_quoted(settings.columns.text)).alias("text"),
        created_at.alias("created_at"),
        *(F.col(_quoted(column)).cast("string").alias(name) for name, column in settings.dimensions.items()),
        _event_date(created_at, settings, window).alias("event_date"),
        F.struct(*(F.col(_quoted(column)) for column in source.columns)).alias("raw"),
        F.nullif(F.input_file_name(), F.lit("")).alias("file"),
    )
    return RawRows(rows, inventory)


def damaged_file(error: str) -> str | None:
    """Find the file that made Spark's read fail: its footer was whole, so the inventory could not know.

    Args:
        error: What the error says.

    Returns:
        The file's URI, or None when the error is another.
    """
    found = re.search(r"\[FAILED_READ_FILE[^\]]*\] Encountered error while reading file (\S+)\.\s", error)
    return unquote(found[1]) if found else None  # Spark writes a blank as %20, the inventory as it is


def _read_files(
    spark: SparkSession, settings: InputSettings, path: str, window: Window, damaged: Collection[str]
) -> tuple[DataFrame, Inventory]:
    root = open_folder(path)
    inventory = take_inventory(root, settings, window, damaged)
    if not inventory.files:
        return spark.createDataFrame([], inventory.schema), inventory
    reader = spark.read.schema(inventory.schema)
    if inventory.files != [root.uri]:
        reader = reader.option("basePath", root.uri)  # so that Hive-style folders become columns
    return reader.parquet(*(_literal_path(file) for file in inventory.files)), inventory


def _read_table(spark: SparkSession, settings: InputSettings, name: str) -> tuple[DataFrame, Inventory]:
    try:
        table = spark.table(name)
        schema = table.schema
    except AnalysisException as error:
        raise InputError(
            f"expected a table {name} in Spark's catalog, found none that can be read "
            f"({error.getCondition()}); check input.table and the catalog settings of spark-submit"
        ) from error
    check_contract(schema, settings, name)
    return table, Inventory([], [], 0, schema)


def _literal_path(uri: str) -> str:
    """Keep Spark from reading a file name as a pattern."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", uri)


def _quoted(column: str) -> str:
    """Quote a column's name, so that SQL takes its dots literally."""
    return "`" + column.replace("`", "``") + "`"


def _instant(schema: StructType, settings: InputSettings, window: Window) -> Column:
    """Return `created_at` as an instant; a timestamp without a zone is wall-clock time in the settings' zone."""
    column = F.col(_quoted(settings.columns.created_at))
    if isinstance(schema[settings.columns.created_at].dataType, TimestampNTZType):
        # The session's zone is UTC, so the cast keeps the wall clock and the second step moves it.
        return F.to_utc_timestamp(column.cast("timestamp"), window.timezone)
    return column


def _in_window(created_at: Column, settings: InputSettings, window: Window) -> Column:
    inside = (created_at >= F.lit(window.start)) & (created_at < F.lit(window.end))
    undated = created_at.isNull()
    if settings.date_partition is not None:
        day = _folder_day(settings.date_partition)
        undated &= F.coalesce(day.between(F.lit(window.first), F.lit(window.last)), F.lit(True))
    return inside | undated


def _event_date(created_at: Column, settings: InputSettings, window: Window) -> Column:
    own = F.to_date(F.from_utc_timestamp(created_at, window.timezone))
    if settings.date_partition is None:
        return F.coalesce(own, F.lit(window.last))
    return F.coalesce(own, _folder_day(settings.date_partition), F.lit(window.last))


def _folder_day(key: str) -> Column:
    return F.col(_quoted(key)).try_cast("date")
