"""Parquet files that a run writes by Spark's executors, counts by their footers, and reads back by a schema."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from emotion_udf.errors import UsageError
from emotion_udf.schemas import PARTITION
from emotion_udf.storage import Folder, is_local, list_parquet


def write_rows(frame: DataFrame, folder: Folder, by_date: bool = False, add: bool = False) -> int:
    """Write Parquet files and return the rows that the folder's footers count, with `add` also those of before.

    Raises:
        UsageError: Rows that executors have written are not there: they are on a disk of another machine's own.
    """
    mode = "append" if add else "error"
    # Other storage is one and the same for all machines. A task that writes counts once, however often it is tried.
    seen = Observation() if is_local(folder) else None
    if seen:
        frame = frame.observe(seen, F.count("*").alias("rows"))
    writer = frame.write.mode(mode).option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
    (writer.partitionBy(PARTITION) if by_date else writer).parquet(folder.uri)
    rows = sum(file.rows for file in list_parquet(folder))
    told = seen.get.get("rows", 0) if seen else 0  # of an empty plan Spark observes nothing
    if rows < told:
        raise UsageError(
            f"expected the {told:,} rows that Spark has written to {folder.uri}, found {rows:,} there: a machine has a "
            "disk of its own under that name; name storage that driver and executors share in warehouse.root, and in "
            "staging.root where it is set"
        )
    return rows


def read_rows(spark: SparkSession, folder: Folder, schema: StructType) -> DataFrame:
    """Read what `write_rows` wrote; a folder without files is a frame without rows."""
    return spark.read.schema(schema).parquet(folder.uri)


def sum_of(folder: Folder, column: str) -> int:
    """Add up a column of whole numbers."""
    return int(pc.sum(_column(folder, column)).as_py() or 0)


def values_of(folder: Folder, column: str) -> set[str | None]:
    """Return the values of a column of strings that has few."""
    files = [f"{folder.path}/{file.path}" for file in list_parquet(folder)]
    if not files:
        return set()
    # By dictionaries, batch by batch: the whole column is as long as the night.
    form = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns={column}))
    batches = ds.dataset(files, filesystem=folder.system, format=form).to_batches(columns=[column])
    return {value for batch in batches for value in batch.column(0).unique().to_pylist()}


def take_out_nulls(folder: Folder, column: str, key: str) -> list[str]:
    """Remove the rows in which a column is null, and return their keys; files without such rows stay as they are."""
    keys: list[str] = []
    for file in list_parquet(folder):
        path = f"{folder.path}/{file.path}"
        with folder.system.open_input_file(path) as opened:
            rows = pq.ParquetFile(opened).read()
        is_null = pc.is_null(rows[column])
        if not pc.any(is_null).as_py():
            continue
        keys += rows.filter(is_null)[key].to_pylist()
        # Under another name: beside a file of a local disk Spark keeps its checksum.
        kept = rows.filter(pc.invert(is_null))
        if kept.num_rows:
            pq.write_table(kept, path.removesuffix(".parquet") + "-rest.parquet", filesystem=folder.system)
        folder.system.delete_file(path)
    return keys


def _column(folder: Folder, column: str) -> pa.ChunkedArray:
    files = [f"{folder.path}/{file.path}" for file in list_parquet(folder)]
    if not files:
        return pa.chunked_array([pa.array([], pa.int64())])
    return ds.dataset(files, filesystem=folder.system, format="parquet").to_table([column])[column]
