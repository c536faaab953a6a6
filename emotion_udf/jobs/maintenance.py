"""The commands of the maintenance job: each finds out what is to do, tells it, and does it unless it is a dry run."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import track

from emotion_udf.errors import UsageError, WindowHeldError
from emotion_udf.jobs.maintenance_tables import files_of, instant, read_ids, span, table_of
from emotion_udf.nightly.context import new_run_id
from emotion_udf.nightly.unrecorded import clear_dead_runs
from emotion_udf.schemas import LABELS
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.steps.pseudonymise import read_pseudonyms
from emotion_udf.steps.score import text_key
from emotion_udf.storage import open_folder
from emotion_udf.tables.compaction import compact, small_files
from emotion_udf.tables.delta_warehouse import RELEASED, UNRELEASED, DeltaWarehouse
from emotion_udf.tables.find_rows import find_messages, rows_now
from emotion_udf.tables.forget import forget
from emotion_udf.tables.release_list import describe_releases
from emotion_udf.tables.rollback import plan_rollback, roll_back
from emotion_udf.tables.runs import list_runs
from emotion_udf.tables.staging import dead_runs, running_runs, staging_folder
from emotion_udf.tables.text_scores import drop_scores, list_models
from emotion_udf.tables.upkeep import checkpoint
from emotion_udf.tables.vacuum import delete_unneeded, find_unneeded

Item = TypeVar("Item")


class Maintenance:
    """The commands over one warehouse.

    Args:
        settings: The settings of the nightly job that writes the warehouse.
        dry_run: Nothing is changed.
        console: Takes what is told.
    """

    def __init__(self, settings: NightSettings, dry_run: bool = False, console: Console | None = None) -> None:
        self.settings = settings
        self.dry_run = dry_run
        self.console = console or Console()
        self.warehouse = DeltaWarehouse(open_folder(settings.warehouse.root, settings.warehouse.timeout_s))
        self.staging = open_folder(settings.staging_root, settings.warehouse.timeout_s)

    def require_tables(self, command: str) -> None:
        """Check that there is a warehouse that a command works on.

        Raises:
            UsageError: There is none, or its tables are a catalog's: of these only `text_scores` is below the root.
        """
        if self.settings.warehouse.format != "delta" and command == "drop-scores":
            return
        self.settings.warehouse.require_delta(f"emotion-maintain {command}")
        if self.warehouse.open(LABELS) is None:
            raise UsageError(
                f"expected the tables of the nightly job below {self.settings.warehouse.root}, found none; "
                "check warehouse.root"
            )

    def show_releases(self, last: int) -> None:
        """Print the newest releases."""
        table = table_of("Releases", "release", "released at", "by", "dates", "run", "files")
        for listed in describe_releases(self.warehouse, RELEASED, last):
            release = listed.release
            table.add_row(
                str(release.number), instant(release.released_at), listed.change.value, span(listed.days),
                escape(release.run_id), files_of(listed),
            )  # fmt: skip
        self.console.print(table)

    def show_runs(self, last: int) -> None:
        """Print the newest runs."""
        table = table_of("Runs", "started at", "dates", "run", "outcome", "read", "labelled", "quarantined", "seconds")
        for row in list_runs(self.warehouse)[-last:]:
            seconds = (row["finished_at"] - row["started_at"]).total_seconds()
            counts = [f"{row[name]:,}" for name in ("rows_read", "rows_labelled", "rows_quarantined")]
            dates = span([row["from_date"].isoformat(), row["to_date"].isoformat()])
            outcome = f"{row['outcome']} ({row['exit_code']})"
            table.add_row(instant(row["started_at"]), dates, escape(row["run_id"]), outcome, *counts, f"{seconds:.1f}")
        self.console.print(table)

    def rollback(self, number: int) -> None:
        """Show the dates that changed since a release as they were in it."""
        with self._alone("rollback") as run_id:
            plan = plan_rollback(self.warehouse, RELEASED, number)
            table = table_of(
                f"Back to release {number} of {instant(plan.target.released_at)}", "", "dates", "", *RELEASED
            )
            table.add_row("change", f"{len(plan.days):,}", span(plan.days), *map("{:,}".format, plan.rows.values()))
            table.add_row("are later and stay", f"{len(plan.later):,}", span(plan.later))
            self.console.print(table)
            if plan.days and not self.dry_run:
                release = roll_back(self.warehouse, RELEASED, plan, run_id)
                self.console.print(f"release {release.number}, run {run_id}", highlight=False)

    def compact(self) -> None:
        """Join the small files of all tables, and sum up their logs."""
        names = [name for name in (*RELEASED, *UNRELEASED) if self.warehouse.open(name)]
        found = {name: small_files(self.warehouse, name) for name in names}
        joined: dict[str, tuple[int, int]] = {}
        with self._alone("compact"):
            if not self.dry_run:
                self.warehouse.repair()
                joined = {name: compact(self.warehouse, name) for name in self._progress(names, "joining files")}
                self.warehouse.repair()
                for name in names:
                    checkpoint(self.warehouse, name)
        table = table_of("Small files", "table", "files", "bytes", "joined", "into")
        for name in names:
            removed, added = joined.get(name, (0, 0))
            table.add_row(name, *(f"{n:,}" for n in (found[name].files, found[name].bytes, removed, added)))
        self.console.print(table)

    def vacuum(self, days: int) -> None:
        """Delete what no release of the last days needs, and what failed runs have left."""
        horizon = datetime.now(UTC) - timedelta(days=days)
        with self._alone("vacuum"):
            dead = self._discard_dead_runs()
            files = find_unneeded(self.warehouse, RELEASED, UNRELEASED, self.staging, horizon)
            if not self.dry_run:
                for file in self._progress(files, "deleting files"):
                    delete_unneeded(self.warehouse, file)
        table = table_of(f"Not needed since {instant(horizon)}", "table", "files", "bytes")
        for name in sorted({file.table for file in files}):
            of_table = [file.size for file in files if file.table == name]
            table.add_row(name, f"{len(of_table):,}", f"{sum(of_table):,}")
        table.add_row("staging of killed runs", f"{len(dead):,}", "")
        self.console.print(table)

    def drop_scores(self, fingerprint: str) -> None:
        """Take the scores of a model out of `text_scores`."""
        files, rows = list_models(self.warehouse).get(fingerprint, (0, 0))
        if self.dry_run and not files:
            raise UsageError(f"expected the fingerprint of a model that has scores, found {fingerprint!r}")
        with self._alone("drop-scores"):
            if not self.dry_run:
                drop_scores(self.warehouse, fingerprint)
        table = table_of(f"Scores of {escape(fingerprint)}", "texts", "files that vacuum deletes")
        table.add_row(f"{rows:,}", f"{files:,}")
        self.console.print(table)

    def forget(self, file: Path) -> None:
        """Erase the messages whose ids a file names from every file of every table."""
        given = read_ids(file)
        ids = self._as_in_tables(given)
        with self._alone("forget", without_nights=True):
            self._discard_dead_runs()  # or a killed night would miss the files that it still has to publish
            with self.console.status("reading the ids in every file"):
                found = find_messages(self.warehouse, ids, text_key, self.settings.input.columns.text)
            rows = {holding.table: rows_now(self.warehouse, holding) for holding in found}
            if found and not self.dry_run:
                # Not below the name of this command's mark: what is below such a name goes when it is killed.
                with self.console.status("writing files anew"):
                    forget(self.warehouse, RELEASED, found, new_run_id(datetime.now(UTC)))
        table = table_of(f"{len(given):,} messages", "table", "rows", "files with them, of all versions")
        for holding in found:
            table.add_row(holding.table, f"{rows[holding.table]:,}", f"{len(holding.paths):,}")
        self.console.print(table)

    def _as_in_tables(self, ids: Sequence[str]) -> Sequence[str]:
        """Return ids with their pseudonyms; days of before pseudonyms were asked for have the ids themselves."""
        pseudonyms = read_pseudonyms(self.settings.input)
        if pseudonyms is None or not pseudonyms.has(self.settings.input.columns.id):
            return ids
        return [*ids, *(pseudonyms.of(id_.encode()) for id_ in ids)]

    @contextmanager
    def _alone(self, command: str, without_nights: bool = False) -> Iterator[str]:
        """Mark this command as running, under the name that it yields, and keep others like it out.

        Raises:
            WindowHeldError: Another one is at work, or a night where `without_nights` is asked for.
        """
        run_id = f"{new_run_id(datetime.now(UTC))}-{command}"
        if self.dry_run:
            yield run_id
            return
        with staging_folder(self.staging, run_id):
            others = [other for other in running_runs(self.staging) if other != run_id]
            in_the_way = [other for other in others if without_nights or _is_maintenance(other)]
            if in_the_way:
                raise WindowHeldError(
                    f"expected to {command} alone, found {', '.join(in_the_way)} at work; start again when it has ended"
                )
            yield run_id

    def _discard_dead_runs(self) -> list[str]:
        """Finish or delete what killed runs have left, unless it is a dry run; return these runs."""
        if self.dry_run:
            return dead_runs(self.staging)
        self.warehouse.repair()
        return clear_dead_runs(self.warehouse, self.staging)

    def _progress(self, items: Sequence[Item], description: str) -> Iterable[Item]:
        """Yield the items, with a bar where somebody looks."""
        return track(items, description, console=self.console, disable=not self.console.is_terminal, transient=True)


def _is_maintenance(run_id: str) -> bool:
    """Tell a maintenance command's mark from a night's, which ends after its random part."""
    return run_id.count("-") > 1
