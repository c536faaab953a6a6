"""The warehouse of tables in Spark's own catalog, written by Spark and shown by a row of `releases`.

No commit there covers several tables, so a night is whole from the moment at which its row of `releases` is there.
Rows tell their `run_id`: where it is not the run that the newest release of their date names, their night is not whole.
What the job needs for itself, files on their way and `text_scores`, is below the root, as with Delta tables.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from emotion_udf.errors import StorageError, WindowHeldError
from emotion_udf.schemas import PARTITION, RELEASES, RUNS, TEXT_SCORES, catalog_releases_schema, runs_schema
from emotion_udf.storage import Folder, ParquetFile, list_parquet
from emotion_udf.tables.catalog_tables import CatalogTables
from emotion_udf.tables.claims import day_of
from emotion_udf.tables.delta_warehouse import RELEASED, DeltaWarehouse
from emotion_udf.tables.parquet import read_rows
from emotion_udf.tables.publications import Publication, Publications
from emotion_udf.tables.publish import require_own_dates
from emotion_udf.tables.text_scores import discard_scores
from emotion_udf.tables.upkeep import keep_up
from emotion_udf.tables.warehouse import Commit, Release, with_nulls

log = logging.getLogger(__name__)

_PUBLISHING: Final = "_publishing"


class CatalogWarehouse:
    """The `Warehouse` of tables in a catalog; each method is explained there.

    Args:
        tables: The catalog's tables.
        root: The folder of the job's own files.
    """

    def __init__(self, tables: CatalogTables, root: Folder) -> None:
        self.tables = tables
        self._own = DeltaWarehouse(root)
        self._publications = Publications(root / _PUBLISHING)
        self._published: Release | None = None
        self._seen: list[Row] | None = None  # of `releases`, for what reads the release before the night's own

    def version(self, table: str) -> int:  # noqa: ARG002 (tables change together)
        """Return the number of the newest release: a catalog has none that grows with each commit."""
        release = self._newest()
        return release.number if release else -1

    def data_folder(self, table: str, run_id: str) -> Folder:
        """Return a folder below the root."""
        return self._own.data_folder(table, run_id)

    def release(self) -> Release | None:
        """Return the newest row of `releases`; where Spark does not answer any more, the one of this very process."""
        try:
            return self._newest()
        except Exception:
            if self._published is None:
                raise
            return self._published

    def repair(self) -> Release | None:
        """Let all tables show what killed runs have begun to show, from the files that they have left."""
        self.tables.require_namespace()
        for place, publication in self._publications.left():
            if publication is not None:
                self._finish(publication)
            place.remove()
        return self._newest()

    def publish(self, tables: Mapping[str, StructType], commit: Commit, since: int) -> Release:
        """Change one table after the other, then `releases`."""
        written = {table: self._written(table, commit.run_id) for table in tables}
        for files in written.values():
            require_own_dates(files, commit)
        self._make_ready(tables)
        publication = Publication(
            run_id=commit.run_id,
            days=commit.days,
            since=since,
            rows={table: sum(file.rows for file in files) for table, files in written.items()},
            schemas={table: schema.jsonValue() for table, schema in tables.items()},
        )
        place = self._publications.begin(publication)
        try:
            self._refuse_held(publication)
        except BaseException:
            place.remove()
            raise
        try:
            self._published = self._show(publication, written)
        except BaseException:
            self._publications.give_up(place)
            raise
        place.remove()
        return self._published

    def discard(self, run_id: str) -> bool:
        """Delete the run's data folders, unless its publication is still to be finished."""
        is_pending = self._publications.has(run_id)
        for table in () if is_pending else RELEASED:
            self.data_folder(table, run_id).remove()
        discard_scores(self._own, run_id)
        return not is_pending and all(row.run_id != run_id for row in self._releases())

    def known_scores(self, spark: SparkSession, fingerprint: str) -> DataFrame | None:
        """Return what `text_scores`, below the root, has of a model."""
        return self._own.known_scores(spark, fingerprint)

    def remember_scores(self, run_id: str, fingerprint: str) -> bool:
        """Append the run's scores to `text_scores`, below the root."""
        return self._own.remember_scores(run_id, fingerprint)

    def recorded_runs(self) -> set[str]:
        """Read the names off `runs`."""
        runs = self.tables.open(RUNS)
        return {row.run_id for row in runs.select("run_id").collect()} if runs else set()

    def append_run(self, row: Mapping[str, Any]) -> None:
        """Append a row to `runs`, unless the schema is not there, which some catalogs would make for a table."""
        self.tables.require_namespace()
        self.tables.check(RUNS, runs_schema(), is_by_date=False)
        self.tables.make_ready(RUNS, runs_schema())
        self.tables.append(RUNS, self._frame([row], runs_schema()))

    def released(self, table: str, dates: Sequence[date], columns: Sequence[str]) -> pa.Table | None:
        """Read the rows of the runs that the newest releases of the dates name."""
        source = self.tables.open(table)
        held = self._holders()
        if source is None or not held:
            return None
        runs = {held[day] for day in dates if day in held}
        rows = source.where(F.col(PARTITION).isin(list(dates)) & F.col("run_id").isin(list(runs)))
        present = [name for name in columns if name in source.columns]
        return with_nulls(rows.select(PARTITION, *present).toArrow(), columns)

    def published_dates(self, dates: Sequence[date]) -> list[date]:
        """Ask `releases`."""
        held = self._holders()
        return [day for day in dates if day in held]

    def released_runs(self, columns: Sequence[str]) -> dict[date, dict[str, Any]]:
        """Return what `runs` has of the runs that the newest releases of the dates name."""
        held = self._holders()
        source = self.tables.open(RUNS)
        if not held or source is None:
            return {}
        rows = source.where(F.col("run_id").isin(list(set(held.values())))).select("run_id", *columns).collect()
        runs = {row.run_id: row.asDict() for row in rows}
        return {day: runs[run_id] for day, run_id in held.items() if run_id in runs}

    def upkeep(self) -> None:
        """Look after `text_scores`; the other tables are the catalog's."""
        keep_up(self._own, (), (TEXT_SCORES,))

    def address(self, table: str) -> str:
        """Return the table's name."""
        return self.tables.name(table)

    def _make_ready(self, tables: Mapping[str, StructType]) -> None:
        """Check all tables before one is changed, then make them and their columns."""
        for table, schema in tables.items():
            self.tables.check(table, schema)
        self.tables.check(RELEASES, catalog_releases_schema(), is_by_date=False)
        for table, schema in tables.items():
            self.tables.make_ready(table, schema)
        self.tables.make_ready(RELEASES, catalog_releases_schema(), partition=None)

    def _show(self, publication: Publication, written: Mapping[str, Sequence[ParquetFile]]) -> Release:
        """Replace the dates in all tables, and append the release.

        The largest table comes first: readers that do not look at `releases` see two nights from its commit on.
        """
        versions = {}
        for table in publication.rows:
            filled = {date.fromisoformat(day_of(file)) for file in written[table]}
            rows = self._read(table, publication)
            self.tables.replace(table, rows, filled, set(publication.dates) - filled)
            self._require_shown(table, publication)
            snapshot = self.tables.snapshot(table)
            if snapshot is not None:
                versions[table] = snapshot
        current = self._newest()
        release = Release(current.number + 1 if current else 1, publication.run_id, datetime.now(UTC), versions)
        row = {
            "release": release.number,
            "run_id": release.run_id,
            "released_at": release.released_at,
            "versions": versions,
            "dates": publication.dates,
        }
        self.tables.append(RELEASES, self._frame([row], catalog_releases_schema()))
        self._seen = None
        return release

    def _finish(self, publication: Publication) -> None:
        """Finish what a killed run has begun, unless a newer run holds its dates, or its files are gone."""
        if any(row.run_id == publication.run_id for row in self._releases()):
            return
        days = ", ".join(publication.days)
        try:
            self._refuse_held(publication)
            written = {table: self._written(table, publication.run_id) for table in publication.rows}
        except (WindowHeldError, pa.ArrowInvalid) as error:
            log.warning("run_id=%s it was killed while it published, and is left so: %s", publication.run_id, error)
            return
        if any(sum(file.rows for file in written[table]) != rows for table, rows in publication.rows.items()):
            log.warning(
                "run_id=%s it was killed while it published, and its files are gone: label %s again",
                publication.run_id,
                days,
            )
            return
        self._make_ready({table: publication.schema(table) for table in publication.rows})
        release = self._show(publication, written)
        log.warning(
            "run_id=%s it was killed while it published; release %d finishes it", publication.run_id, release.number
        )

    def _refuse_held(self, publication: Publication) -> None:
        """Stop where another run has released one of the dates meanwhile."""
        newer = [row for row in self._releases() if row.release > publication.since]
        held = {day: row.run_id for row in newer for day in row.dates if day in publication.dates}
        if held:
            days = ", ".join(day.isoformat() for day in sorted(held))
            raise WindowHeldError(
                f"expected the dates of {self.tables.namespace} to be as this run found them, found that run "
                f"{next(iter(held.values()))} published {days} meanwhile; its numbers stand, start again if this run's "
                "should replace them"
            )

    def _require_shown(self, table: str, publication: Publication) -> None:
        """Check that a table shows the run's rows, all of them and no others."""
        source = self.tables.open(table)
        rows = source.where(F.col(PARTITION).isin(publication.dates)) if source else None
        counted = rows.groupBy("run_id").count().collect() if rows else []
        others = [row.run_id for row in counted if row.run_id != publication.run_id]
        if others:
            raise WindowHeldError(
                f"expected to be the only writer of {', '.join(publication.days)} in {self.tables.name(table)}, found "
                f"rows of run {others[0]}; start again when it has ended"
            )
        shown = sum(row["count"] for row in counted)
        if shown != publication.rows[table]:
            raise StorageError(
                f"expected {publication.rows[table]:,} rows of {', '.join(publication.days)} in "
                f"{self.tables.name(table)}, found {shown:,}; start again, which writes them anew"
            )

    def _written(self, table: str, run_id: str) -> list[ParquetFile]:
        """List what a run has written for a table."""
        return list_parquet(self.data_folder(table, run_id))

    def _read(self, table: str, publication: Publication) -> DataFrame:
        """Read what a run has written for a table."""
        if not publication.rows[table]:
            return self._frame([], publication.schema(table))
        folder = self.data_folder(table, publication.run_id)
        return read_rows(self.tables.spark, folder, publication.schema(table))

    def _releases(self) -> list[Row]:
        """Return the rows of `releases` as they are now, oldest first."""
        source = self.tables.open(RELEASES)
        # As a number: Python's own zone would be taken for that of a time.
        columns = ("release", "run_id", F.unix_micros("released_at").alias("released_us"), "versions", "dates")
        rows = source.select(*columns).collect() if source else []
        self._seen = sorted(rows, key=lambda row: int(row.release))
        return self._seen

    def _newest(self) -> Release | None:
        rows = self._releases()
        if not rows:
            return None
        row = rows[-1]
        released_at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=row.released_us)
        return Release(row.release, row.run_id, released_at, row.versions)

    def _holders(self) -> dict[date, str]:
        """Return the run that each date shows: that of its newest release."""
        rows = self._releases() if self._seen is None else self._seen
        return {day: row.run_id for row in rows for day in row.dates}

    def _frame(self, rows: Sequence[Mapping[str, Any]], schema: StructType) -> DataFrame:
        # By Arrow, to which a whole number is a good value of a column of floats; Spark refuses it.
        plain = pa.Table.from_pylist(list(rows), schema=to_arrow_schema(schema, timezone="UTC"))
        return self.tables.spark.createDataFrame(plain.to_pylist(maps_as_pydicts="strict"), schema)
