"""The warehouse of Delta tables: written by Spark's executors as Parquet, committed by delta-rs on the driver."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

import pyarrow as pa
from deltalake.exceptions import CommitFailedError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from emotion_udf.schemas import (
    AUDIT_SAMPLES,
    AUDITS,
    DAILY,
    LABELS,
    PARTITION,
    QUARANTINE,
    RELEASES,
    RUNS,
    TERMS,
    TEXT_SCORES,
    known_schema,
)
from emotion_udf.tables.claims import names_of_withdrawal
from emotion_udf.tables.delta import DeltaTables
from emotion_udf.tables.durability import set_damaged_logs_aside
from emotion_udf.tables.files import files_at
from emotion_udf.tables.ownership import claims_since, claims_until, holders, shown_days
from emotion_udf.tables.publish import publish_tables, settle
from emotion_udf.tables.releases import read_release
from emotion_udf.tables.runs import append_run, list_runs
from emotion_udf.tables.text_scores import append_scores, discard_scores, list_scores
from emotion_udf.tables.upkeep import keep_up
from emotion_udf.tables.warehouse import Commit, Release, with_nulls

log = logging.getLogger(__name__)

RELEASED = (LABELS, DAILY, QUARANTINE, TERMS)
"""The tables of a release; the first decides who holds a date."""

UNRELEASED = (RELEASES, TEXT_SCORES, RUNS, AUDITS, AUDIT_SAMPLES)
"""The tables that are read at their newest version."""

# Where a run is looked for that has ended just now, by reading so many entries of a log.
_NEWEST = 10
# More nights than can be between a run's commit and the moment at which somebody asks for it.
_RECENT = 1_000


class DeltaWarehouse(DeltaTables):
    """The `Warehouse` of Delta tables below one root folder; each method is explained there."""

    def release(self) -> Release | None:
        """Return the row of `releases`."""
        return read_release(self.open(RELEASES))

    def repair(self) -> Release | None:
        """Let the tables of a night follow the deciding one, and move the release."""
        set_damaged_logs_aside(self, (*RELEASED, RELEASES))
        for table in (TEXT_SCORES, RUNS):
            with suppress(OSError):  # they decide nothing: who needs them will say so
                set_damaged_logs_aside(self, (table,))
        before = self.release()
        after = settle(self, RELEASED) if self.open(LABELS) else None
        if after is not None and after != before:
            log.warning(
                "run_id=%s it was killed while it published; release %d finishes it", after.run_id, after.number
            )
        return after

    def publish(self, tables: Mapping[str, StructType], commit: Commit, since: int) -> Release:
        """Commit each table once, and release them together."""
        return publish_tables(self, tables, commit, since)

    def discard(self, run_id: str) -> bool:
        """Delete the run's data folders but for scores that the table lists."""
        is_needed = self._holds_dates(run_id)
        for table in () if is_needed else RELEASED:
            self.data_folder(table, run_id).remove()
        discard_scores(self, run_id)
        return not is_needed

    def known_scores(self, spark: SparkSession, fingerprint: str) -> DataFrame | None:
        """Return what `text_scores` has of a model."""
        files = list_scores(self, fingerprint)
        return spark.read.schema(known_schema()).parquet(*files) if files else None

    def remember_scores(self, run_id: str, fingerprint: str) -> bool:
        """Append the run's scores to `text_scores`."""
        try:
            append_scores(self, run_id, fingerprint)
        except CommitFailedError:
            return False
        return True

    def released_runs(self, columns: Sequence[str]) -> dict[date, dict[str, Any]]:
        """Return what `runs` has of the dates that its runs hold in the newest release."""
        release = self.release()
        labels = self.open(LABELS)
        if release is None or labels is None:
            return {}
        runs = {row["run_id"]: row for row in list_runs(self, ["run_id", *columns])}
        held = holders(claims_until(labels, release.versions[LABELS]))
        return {date.fromisoformat(day): runs[claim.run_id] for day, claim in held.items() if claim.run_id in runs}

    def upkeep(self) -> None:
        """Make checkpoints, join small files and end old logs, where it is due."""
        keep_up(self, RELEASED, UNRELEASED)

    def recorded_runs(self) -> set[str]:
        """Read the names off `runs`."""
        table = self.open(RUNS)
        return set(table.to_pyarrow_table(columns=["run_id"])["run_id"].to_pylist()) if table else set()

    def append_run(self, row: Mapping[str, Any]) -> None:
        """Append a row to `runs`."""
        append_run(self, row)

    def released(self, table: str, dates: Sequence[date], columns: Sequence[str]) -> pa.Table | None:
        """Read the table at the version that the release names."""
        release = self.release()
        if release is None or table not in release.versions:
            return None
        source = self.at(table, release.versions[table])
        present = {field.name for field in source.schema().fields}
        found = [name for name in columns if name in present]
        rows = source.to_pyarrow_table(columns=[PARTITION, *found], filters=[(PARTITION, "in", list(dates))])
        return with_nulls(rows, columns)

    def published_dates(self, dates: Sequence[date]) -> list[date]:
        """Look at the files of the deciding table, and at its history for dates that have none."""
        release = self.release()
        if release is None:
            return []
        version = release.versions[LABELS]
        shown = {listed.day for listed in files_at(self, LABELS, version)}
        if not shown.issuperset(day.isoformat() for day in dates):  # the history has an entry a night
            labels = self.open(LABELS)
            shown = shown_days(claims_until(labels, version)) if labels else set()
        return [day for day in dates if day.isoformat() in shown]

    def _holds_dates(self, run_id: str) -> bool:
        """Tell whether the run has committed to the deciding table, and was not taken back."""
        labels = self.open(LABELS)
        if labels is None:
            return False
        for recent in (_NEWEST, _RECENT):
            runs = {claim.run_id for claim in claims_since(labels, labels.version() - recent)}
            if run_id in runs:  # and what took it back came later
                return runs.isdisjoint(names_of_withdrawal(run_id))
        return False
