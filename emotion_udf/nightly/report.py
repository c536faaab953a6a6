"""The report that a person reads at the end of a run."""

import sys
from collections import Counter
from io import TextIOWrapper
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from emotion_udf.emotions import EMOTIONS
from emotion_udf.masking import printable
from emotion_udf.nightly.record import RunRecord
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RUNS, TERMS
from emotion_udf.tables.warehouse import Warehouse

_GROUPS_SHOWN = 12


def print_report(run: RunRecord, warehouse: Warehouse, console: Console | None = None) -> None:
    """Print a published run: its counts, the emotions by the first dimension, and where the tables are."""
    console = console or Console(file=_tolerant(sys.stdout))
    console.print(_counts(run))
    for gate in run.gates:
        if gate.forced:
            console.print(f"[bold]forced:[/] {gate.name} {gate.value:.6g}, limit {gate.limit:.6g}", highlight=False)
    console.print(_emotions(run, warehouse))
    console.print("Tables:")
    for table in (LABELS, DAILY, TERMS, QUARANTINE, RUNS):
        console.print(f"  {warehouse.address(table)}", soft_wrap=True, highlight=False, markup=False)


def _tolerant(stream: TextIO) -> TextIO:
    """Return the stream, made to print what its encoding lacks as a `?`: a published night must not fail here."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


def _counts(run: RunRecord) -> Table:
    table = Table(title=f"Feedback of {run.context.window}, run {run.run_id}", title_justify="left")
    shown = {
        "rows read": f"{run.rows_read:,}",
        "labelled": f"{run.rows_labelled:,}",
        "quarantined": f"{run.rows_quarantined:,}",
        "texts": f"{run.distinct_texts:,}",
        "reused": f"{run.reused_texts:,}",
        "seconds": f"{run.total_seconds:.1f}",
        "rows/s": f"{run.rows_per_s:,.0f}",
    }
    for heading in shown:
        table.add_column(heading, justify="right")
    table.add_row(*shown.values())
    return table


def _emotions(run: RunRecord, warehouse: Warehouse) -> Table:
    """Return message counts, a row for each value of the first dimension, a column for each emotion."""
    by = next(iter(run.context.settings.dimensions), None)
    counts: dict[str, Counter[str]] = {}
    columns = [name for name in (by, "emotion", "feedback_count") if name]
    daily = warehouse.released(DAILY, run.context.window.dates, columns)
    for row in daily.to_pylist() if daily else []:
        group = "all" if by is None else row[by] or "(none)"
        counts.setdefault(group, Counter())[row["emotion"]] += row["feedback_count"]
    table = Table(title=f"Emotions by {by}" if by else "Emotions", title_justify="left")
    table.add_column(by or "")
    for heading in (*EMOTIONS, "messages"):
        table.add_column(heading, justify="right")
    for group, found in sorted(_largest(counts).items()):
        table.add_row(Text(printable(group)), *(f"{found[emotion]:,}" for emotion in EMOTIONS), f"{found.total():,}")
    return table


def _largest(counts: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Keep the groups with the most messages; a dimension can have thousands of values, and a terminal few lines."""
    by_size = sorted(counts, key=lambda group: counts[group].total(), reverse=True)
    kept = {group: counts[group] for group in by_size[:_GROUPS_SHOWN]}
    rest = by_size[_GROUPS_SHOWN:]
    if rest:
        kept[f"… {len(rest):,} others"] = sum((counts[group] for group in rest), Counter())
    return kept
