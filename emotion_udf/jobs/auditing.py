"""The two commands of the audit: draw a sample of a release's labels, and record what people found in it."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from rich.console import Console

from emotion_udf.audit.draw import COLUMNS, Drawn, draw, sample_id
from emotion_udf.audit.sheet import MOST_TEXT_CHARS, check_place, match, read_sheet, write_sheet
from emotion_udf.errors import InputError, UsageError, WindowHeldError
from emotion_udf.jobs.auditing_tables import precision_table, sample_table
from emotion_udf.nightly.accepted import Text, find_texts
from emotion_udf.nightly.context import new_run_id
from emotion_udf.schemas import LABELS, PARTITION, audit_samples_schema, audits_schema
from emotion_udf.session import start_session
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import open_folder
from emotion_udf.tables.audits import read_sample, write_audits, write_sample
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.ownership import claims_until, holders
from emotion_udf.tables.staging import running_runs, staging_folder
from emotion_udf.tables.warehouse import Release
from emotion_udf.window import Window

log = logging.getLogger(__name__)

Row = dict[str, Any]


class Auditing:
    """The commands over one warehouse.

    Args:
        settings: The settings of the nightly job that writes the warehouse.
        console: Takes what is told.

    Raises:
        UsageError: The tables are a catalog's.
    """

    def __init__(self, settings: NightSettings, console: Console | None = None) -> None:
        settings.warehouse.require_delta("emotion-audit")
        self.settings = settings
        self.console = console or Console()
        self.warehouse = DeltaWarehouse(open_folder(settings.warehouse.root, settings.warehouse.timeout_s))

    def draw(self, window: Window | None, size: int, seed: int, out: Path, debug: bool = False) -> None:
        """Draw a sample and write its sheet.

        Args:
            window: The days; those of the newest release by default.
            size: Messages.
            seed: Another one draws other messages.
            out: The sheet.
            debug: Show where in a Python worker an error arose.
        """
        check_place(out)
        release = self._release()
        with self._without_forgetting():
            labels = self.warehouse.at(LABELS, release.versions[LABELS])
            window = window or self._newest_days(labels, release)
            drawn = draw(_batches(labels, window.dates), size, seed)
            if not drawn:
                raise UsageError(
                    f"expected labels of {window} in release {release.number}, found none; name other days"
                )
            texts = self._texts(window, drawn, debug)
            kept = [row for row in drawn if _is_labelled_text(row, texts.get((row.event_date, row.feedback_id)))]
            self._write(window, kept, texts, out)
        self._tell_draw(release, window, kept, len(drawn) - len(kept), out)

    def record(self, file: Path) -> None:
        """Check a sheet, write it into `audits`, and print the precision."""
        sheet = read_sheet(file)
        self._release()
        with self._without_forgetting():
            drawn = read_sample(self.warehouse, sheet.sample_id)
            filled = match(sheet, {row["number"]: row["feedback_id"] for row in drawn})
            recorded_at = datetime.now(UTC)
            names = audits_schema().fieldNames()
            known = [row | {"human_emotion": filled[row["number"]]} for row in drawn if row["number"] in filled]
            rows = [{name: (row | {"recorded_at": recorded_at})[name] for name in names} for row in known]
            write_audits(self.warehouse, sheet.sample_id, rows)
        self.console.print(
            f"{sheet.sample_id}: {len(rows):,} messages recorded, {len(drawn) - len(rows):,} of the sample not filled",
            highlight=False,
        )
        models = {row["model_fingerprint"] for row in rows}
        if len(models) > 1:
            self.console.print(f"{len(models)} models gave these labels; the figures are of all together")
        self.console.print(precision_table(rows, drawn))

    def _release(self) -> Release:
        release = self.warehouse.release()
        if release is None:
            raise UsageError(
                f"expected a release below {self.settings.warehouse.root}, found none; check warehouse.root, or run a "
                "night first"
            )
        return release

    @contextmanager
    def _without_forgetting(self) -> Iterator[None]:
        """Keep `forget` out, which would erase messages in one table while they are copied to another.

        Raises:
            WindowHeldError: One is at work.
        """
        root = open_folder(self.settings.staging_root, self.settings.warehouse.timeout_s)
        with staging_folder(root, new_run_id(datetime.now(UTC))):
            others = [run_id for run_id in running_runs(root) if run_id.endswith("-forget")]
            if others:
                raise WindowHeldError(
                    f"expected no forgetting meanwhile, found {others[0]}; start again when it has ended"
                )
            yield

    def _newest_days(self, labels: DeltaTable, release: Release) -> Window:
        """Return the days that the newest release brought, from the first to the last."""
        held = holders(claims_until(labels, release.versions[LABELS]))
        days = [date.fromisoformat(day) for day, claim in held.items() if claim.run_id == release.run_id]
        if not days:
            raise UsageError("expected days with --date, or --from and --to: the newest release has brought none")
        return Window(min(days), max(days), self.settings.window.timezone)

    def _texts(self, window: Window, drawn: Sequence[Drawn], debug: bool) -> dict[tuple[date, str], Text]:
        spark = start_session(f"audit of {window}", debug)
        try:
            ids = sorted({row.feedback_id for row in drawn})
            return find_texts(spark, self.settings, window, ids, MOST_TEXT_CHARS + 1)
        finally:
            spark.stop()

    def _write(self, window: Window, rows: Sequence[Drawn], texts: dict[tuple[date, str], Text], out: Path) -> None:
        """Write the sample, and its sheet."""
        if not rows:
            raise InputError(
                f"expected the texts of {window} in the input, found none as it was labelled; draw from days that the "
                "input still has"
            )
        name = sample_id(rows)
        fixed = {"sample_id": name, "from_date": window.first, "to_date": window.last, "drawn_at": datetime.now(UTC)}
        names = audit_samples_schema().fieldNames()
        numbered = list(enumerate(rows, start=1))
        sample = [fixed | asdict(row) | {"number": number} for number, row in numbered]
        write_sample(self.warehouse, name, [{field: row[field] for field in names} for row in sample])
        messages = [(n, row.feedback_id, texts[row.event_date, row.feedback_id].text) for n, row in numbered]
        write_sheet(out, name, messages)

    def _tell_draw(self, release: Release, window: Window, rows: Sequence[Drawn], lost: int, out: Path) -> None:
        """Print the strata of a sample."""
        if lost:
            log.warning("%d messages are left out: the input no longer has them as they were labelled", lost)
        self.console.print(sample_table(f"Sample of {window}, release {release.number}", rows))
        self.console.print(
            f"{len(rows):,} messages in {out}: fill the column human_emotion, then record it. The file holds texts.",
            soft_wrap=True, highlight=False, markup=False,
        )  # fmt: skip


def _batches(labels: DeltaTable, dates: Sequence[date]) -> Iterator[pa.RecordBatch]:
    """Read what a draw needs of some dates; a column that the table does not have yet is null."""
    present = [name for name in COLUMNS if name in {field.name for field in labels.schema().fields}]
    missing = [name for name in COLUMNS if name not in present]
    rows = labels.to_pyarrow_dataset()
    in_window = pc.field(PARTITION).isin(list(dates))
    for batch in rows.to_batches(columns=present, filter=in_window):
        for name in missing:
            batch = batch.append_column(name, pa.nulls(batch.num_rows, pa.string()))
        if batch.num_rows:
            yield batch


def _is_labelled_text(row: Drawn, found: Text | None) -> bool:
    """Tell whether the input still has the text that was labelled."""
    return found is not None and row.text_key in (None, found.text_key)
