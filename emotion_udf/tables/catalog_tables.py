"""Tables of Spark's own catalog, whoever keeps them there: made, given columns, and changed by dates.

There are two kinds. Iceberg and Delta replace what a condition names in one commit. Tables that are folders of files,
as in Hive's metastore, know only partitions: Spark replaces those that have new rows, and the others are dropped.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Final

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from emotion_udf.errors import UsageError
from emotion_udf.plans import with_settings
from emotion_udf.schemas import PARTITION

_OF_FILES: Final = frozenset({"avro", "csv", "hive", "json", "orc", "parquet", "text"})
"""The providers of tables that are folders of files."""

_SNAPSHOTS: Final = "iceberg"

_BY_PARTITION: Final = {
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    "hive.exec.dynamic.partition.mode": "nonstrict",
}
"""Settings of the session by which an overwrite replaces the partitions that it has rows of, and no other."""


class CatalogTables:
    """The tables of one schema.

    Args:
        spark: The session, whose settings say what the catalog is.
        namespace: The catalog and the schema, as SQL has them.
        using: What new tables are made of; the catalog's own default where it is None.
    """

    def __init__(self, spark: SparkSession, namespace: str, using: str | None = None) -> None:
        self.spark = spark
        self.namespace = namespace
        self.using = using

    def name(self, table: str) -> str:
        """Return a table's whole name."""
        return f"{self.namespace}.{table}"

    def require_namespace(self) -> None:
        """Check that the schema is there.

        Raises:
            UsageError: It is not.
        """
        try:
            is_there = self.spark.catalog.databaseExists(self.namespace)
        except PySparkException:  # no such catalog, or one whose classes are not there
            is_there = False
        if not is_there:
            raise UsageError(
                f"expected the schema {self.namespace} in Spark's catalog, found none; make it by CREATE SCHEMA "
                f"{self.namespace}, or correct warehouse.namespace, or Spark's own settings of the catalog "
                "(spark.sql.catalog.…)"
            )

    def open(self, table: str) -> DataFrame | None:
        """Return the table's rows as they are now, None where there is no such table yet."""
        if not self.spark.catalog.tableExists(self.name(table)):
            return None
        self.spark.sql(f"REFRESH TABLE {self.name(table)}")  # a session keeps what it has seen of a table
        return self.spark.table(self.name(table))

    def check(self, table: str, schema: StructType, is_by_date: bool = True) -> None:
        """Check that a table, if it is there, can take rows of a schema.

        Args:
            table: The table.
            schema: The columns that a night has.
            is_by_date: Its dates are replaced, so that it has to be partitioned by them.

        Raises:
            UsageError: A column is there with another type, or the partitions are others.
        """
        target = self.open(table)
        if target is None:
            return
        present, wanted = ({f.name: f.dataType.simpleString() for f in columns} for columns in (target.schema, schema))
        clashes = [name for name, type_ in wanted.items() if present.get(name, type_) != type_]
        if clashes:
            raise UsageError(
                f"expected the table {self.name(table)} to have this version's column types, found others for "
                f"{', '.join(clashes)}; publish to another warehouse.namespace, or migrate the table"
            )
        columns = self.spark.catalog.listColumns(self.name(table))
        partitions = [column.name for column in columns if column.isPartition]
        if is_by_date and partitions != [PARTITION]:
            raise UsageError(
                f"expected the table {self.name(table)} to be partitioned by {PARTITION}, found "
                f"{', '.join(partitions) or 'no partitions'}; whole nights are replaced by it, so make the table anew"
            )

    def make_ready(self, table: str, schema: StructType, partition: str | None = PARTITION) -> None:
        """Make a table that is not there, and add the columns that it lacks."""
        # Not as the result of a query: one that is killed in between leaves a folder in which no table can be made.
        using = f" USING {self.using}" if self.using else ""
        by = f" PARTITIONED BY ({partition})" if partition else ""
        self.spark.sql(f"CREATE TABLE IF NOT EXISTS {self.name(table)} ({_columns(schema)}){using}{by}")
        present = self.spark.table(self.name(table)).columns
        missing = StructType([field for field in schema if field.name not in present])
        if missing.fields:
            self.spark.sql(f"ALTER TABLE {self.name(table)} ADD COLUMNS ({_columns(missing)})")

    def replace(self, table: str, rows: DataFrame, filled: Collection[date], emptied: Collection[date]) -> None:
        """Replace some dates of a table, in one commit where the table is not one of files.

        Args:
            table: The table.
            rows: The new rows.
            filled: The dates that they are of.
            emptied: Dates that have no row any more.
        """
        rows = self._as_in(table, rows)
        if not self._is_of_files(table):
            rows.writeTo(self.name(table)).overwrite(F.col(PARTITION).isin([*filled, *emptied]))
            return
        if filled:
            with with_settings(self.spark, _BY_PARTITION):
                rows.write.insertInto(self.name(table), overwrite=True)
        if emptied:
            partitions = ", ".join(f"PARTITION ({PARTITION} = '{day.isoformat()}')" for day in sorted(emptied))
            self.spark.sql(f"ALTER TABLE {self.name(table)} DROP IF EXISTS {partitions}")

    def append(self, table: str, rows: DataFrame) -> None:
        """Add rows to a table."""
        with with_settings(self.spark, _BY_PARTITION):
            self._as_in(table, rows).write.insertInto(self.name(table))

    def snapshot(self, table: str) -> int | None:
        """Return the number by which readers can open the table as it is now; None where it keeps none."""
        if self._provider(table) != _SNAPSHOTS:
            return None
        newest = self.spark.table(f"{self.name(table)}.refs").where("name = 'main'").select("snapshot_id")
        found = _first(newest.collect())
        return int(found.snapshot_id) if found else None

    def _as_in(self, table: str, rows: DataFrame) -> DataFrame:
        """Bring rows into the order of the table's columns, with nulls where the table has more."""
        columns = self.spark.table(self.name(table)).schema
        return rows.select(
            [F.col(f.name) if f.name in rows.columns else F.lit(None).cast(f.dataType).alias(f.name) for f in columns]
        )

    def _is_of_files(self, table: str) -> bool:
        return self._provider(table) in _OF_FILES

    def _provider(self, table: str) -> str:
        """Return what the table is made of, in lower case."""
        told = self.spark.sql(f"DESCRIBE TABLE EXTENDED {self.name(table)}").where("col_name = 'Provider'")
        found = _first(told.collect())
        return str(found.data_type).lower() if found else ""


def _columns(schema: StructType) -> str:
    """Return columns as SQL defines them; all may be null, since rows of earlier versions lack some."""
    return ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in schema)


def _first(rows: Sequence[Row]) -> Row | None:
    return rows[0] if rows else None
