"""A warehouse that is no Delta table: rows in lists."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from emotion_udf.schemas import PARTITION, RUNS, TEXT_SCORES, known_schema
from emotion_udf.storage import Folder, list_parquet
from emotion_udf.tables.warehouse import Commit, Release


class MemoryWarehouse:
    """Keeps rows in `tables`; executors write into a folder that no reader knows."""

    def __init__(self, scratch: Folder) -> None:
        self.scratch = scratch
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.versions: dict[str, int] = {}
        self.releases: list[Release] = []
        self.days: set[date] = set()
        self.scores: dict[str, list[Folder]] = {}

    def version(self, table: str) -> int:
        return self.versions.get(table, -1)

    def data_folder(self, table: str, run_id: str) -> Folder:
        return self.scratch / run_id / table

    def release(self) -> Release | None:
        return self.releases[-1] if self.releases else None

    def repair(self) -> Release | None:
        return self.release()

    def publish(
        self,
        tables: Mapping[str, StructType],
        commit: Commit,
        since: int,  # noqa: ARG002 (nobody races here)
    ) -> Release:
        for table in tables:
            folder = self.data_folder(table, commit.run_id)
            files = [f"{folder.path}/{file.path}" for file in list_parquet(folder)]
            hive = ds.partitioning(pa.schema([(PARTITION, pa.date32())]), flavor="hive")
            new = ds.dataset(files, partitioning=hive, partition_base_dir=folder.path).to_table() if files else None
            kept = [row for row in self.tables.get(table, []) if str(row[PARTITION]) not in commit.days]
            self.tables[table] = kept + (new.to_pylist() if new else [])
            self.versions[table] = self.version(table) + 1
        self.days.update(commit.dates)
        release = Release(len(self.releases) + 1, commit.run_id, datetime.now(UTC), dict(self.versions))
        self.releases.append(release)
        return release

    def discard(self, run_id: str) -> bool:
        if self.releases and self.releases[-1].run_id == run_id:
            return False
        (self.scratch / run_id).remove()
        return True

    def known_scores(self, spark: SparkSession, fingerprint: str) -> DataFrame | None:
        folders = [folder.uri for folder in self.scores.get(fingerprint, [])]
        return spark.read.schema(known_schema()).parquet(*folders) if folders else None

    def remember_scores(self, run_id: str, fingerprint: str) -> bool:
        self.scores.setdefault(fingerprint, []).append(self.data_folder(TEXT_SCORES, run_id))
        return True

    def recorded_runs(self) -> set[str]:
        return {row["run_id"] for row in self.tables.get(RUNS, [])}

    def append_run(self, row: Mapping[str, Any]) -> None:
        self.tables.setdefault(RUNS, []).append(dict(row))

    def released(self, table: str, dates: Sequence[date], columns: Sequence[str]) -> pa.Table | None:
        if table not in self.tables:
            return None
        rows = [row for row in self.tables[table] if row[PARTITION] in dates]
        return pa.table({name: [row.get(name) for row in rows] for name in (PARTITION, *columns)})

    def published_dates(self, dates: Sequence[date]) -> list[date]:
        return [day for day in dates if day in self.days]

    def released_runs(self, columns: Sequence[str]) -> dict[date, dict[str, Any]]:  # noqa: ARG002 (all are there)
        return {row["to_date"]: row for row in self.tables.get(RUNS, []) if row["outcome"] == "published"}

    def upkeep(self) -> None:
        """Nothing is ever due."""

    def address(self, table: str) -> str:
        return f"memory:{table}"
