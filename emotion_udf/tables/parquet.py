"""Parquet files that a run writes by Spark's executors, counts by their footers, and reads back by a schema."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from emotion_udf.schemas import PARTITION
from emotion_udf.storage import Folder, list_parquet


def write_rows(frame: DataFrame, folder: Folder, by_date: bool = False) -> int:
    """Write Parquet files and return the rows that their footers count."""
    writer = frame.write.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    (writer.partitionBy(PARTITION) if by_date else writer).parquet(folder.uri)
    return sum(file.rows for file in list_parquet(folder))


def read_rows(spark: SparkSession, folder: Folder, schema: StructType) -> DataFrame:
    """Read what `write_rows` wrote; a folder without files is a frame without rows."""
    return spark.read.schema(schema).parquet(folder.uri)


def sum_of(folder: Folder, column: str) -> int:
    """Add up a column of whole numbers."""
    return int(pc.sum(_column(folder, column)).as_py() or 0)


def values_of(folder: Folder, column: str) -> list[str]:
    """Return the values of a column that has few, sorted."""
    return sorted(_column(folder, column).unique().to_pylist())


def _column(folder: Folder, column: str) -> pa.ChunkedArray:
    files = [f"{folder.path}/{file.path}" for file in list_parquet(folder)]
    if not files:
        return pa.chunked_array([pa.array([], pa.int64())])
    return ds.dataset(files, filesystem=folder.system, format="parquet").to_table([column])[column]
