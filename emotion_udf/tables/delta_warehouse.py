"""The warehouse of Delta tables: written by Spark's executors as Parquet, committed by delta-rs on the driver."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from deltalake.exceptions import CommitFailedError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from emotion_udf.schemas import DAILY, LABELS, PARTITION, QUARANTINE, TEXT_SCORES, scores_schema
from emotion_udf.tables.delta import DATA, DeltaTables
from emotion_udf.tables.publish import publish_tables
from emotion_udf.tables.runs import append_run
from emotion_udf.tables.text_scores import append_scores, compact_scores, list_scores
from emotion_udf.tables.warehouse import Commit

_TABLES_OF_A_NIGHT = (LABELS, DAILY, QUARANTINE, TEXT_SCORES)


class DeltaWarehouse(DeltaTables):
    """The `Warehouse` of Delta tables below one root folder; each method is explained there."""

    def publish(self, tables: Mapping[str, StructType], commit: Commit, since: int) -> None:
        """Replace the commit's dates, in one Delta commit a table."""
        publish_tables(self, tables, commit, since)

    def discard(self, run_id: str) -> None:
        """Delete the run's data folders but for those that a table lists files of."""
        for table in _TABLES_OF_A_NIGHT:
            folder = self.data_folder(table, run_id)
            if folder.exists() and not self._lists(table, run_id):
                folder.remove()

    def known_scores(self, spark: SparkSession, fingerprint: str) -> DataFrame | None:
        """Return what `text_scores` has of a model."""
        files = list_scores(self, fingerprint)
        return spark.read.schema(scores_schema()).parquet(*files) if files else None

    def remember_scores(self, run_id: str, fingerprint: str) -> bool:
        """Append the run's scores to `text_scores`."""
        try:
            append_scores(self, run_id, fingerprint)
        except CommitFailedError:
            return False
        compact_scores(self, fingerprint)
        return True

    def append_run(self, row: Mapping[str, Any]) -> None:
        """Append a row to `runs`."""
        append_run(self, row)

    def daily_rows(self, dates: Sequence[date]) -> list[dict[str, Any]]:
        """Return the rows of `emotion_daily` of some dates."""
        table = self.open(DAILY)
        filters = [(PARTITION, "in", list(dates))]
        return table.to_pyarrow_table(filters=filters).to_pylist() if table else []

    def _lists(self, table: str, run_id: str) -> bool:
        """Tell whether the table's newest version lists files of a run."""
        target = self.open(table)
        if target is None:
            return False
        paths = pa.table(target.get_add_actions(flatten=True))["path"].to_pylist()
        return any(path.startswith(f"{DATA}/{run_id}/") for path in paths)
