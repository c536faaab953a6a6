"""What a person reads at the end of a run."""

from collections import Counter

from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from emotion_udf.emotions import EMOTIONS
from emotion_udf.run import Run
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RUNS
from emotion_udf.storage import open_folder


def print_report(run: Run, console: Console | None = None) -> None:
    """Print a published run: its counts, the emotions by the first dimension, and where the tables are."""
    console = console or Console()
    console.print(_counts(run))
    console.print(_emotions(run))
    console.print("Tables (Delta):")
    root = open_folder(run.settings.warehouse.root)
    for table in (LABELS, DAILY, QUARANTINE, RUNS):
        console.print(f"  {(root / table).delta_uri}", soft_wrap=True, highlight=False)


def _counts(run: Run) -> Table:
    table = Table(title=f"Feedback of {run.window}, run {run.run_id}", title_justify="left")
    counts = run.counts
    shown = {
        "rows read": f"{counts.read:,}",
        "labelled": f"{counts.labelled:,}",
        "quarantined": f"{counts.quarantined:,}",
        "distinct texts": f"{counts.distinct_texts:,}",
        "seconds": f"{run.total_seconds:.1f}",
        "rows/s": f"{run.rows_per_s:,.0f}",
    }
    for heading in shown:
        table.add_column(heading, justify="right")
    table.add_row(*shown.values())
    return table


def _emotions(run: Run) -> Table:
    """Return message counts, a row for each value of the first dimension, a column for each emotion."""
    by = next(iter(run.settings.dimensions), None)
    days = [day.isoformat() for day in run.window.dates]
    folder = open_folder(run.settings.warehouse.root) / DAILY
    daily = DeltaTable(folder.delta_uri).to_pyarrow_table(partitions=[("event_date", "in", days)])
    counts: dict[str, Counter[str]] = {}
    for row in daily.to_pylist():
        group = "all" if by is None else str(row[by])
        counts.setdefault(group, Counter())[row["emotion"]] += row["feedback_count"]
    table = Table(title=f"Emotions by {by}" if by else "Emotions", title_justify="left")
    table.add_column(by or "")
    for heading in (*EMOTIONS, "messages"):
        table.add_column(heading, justify="right")
    for group, found in sorted(counts.items()):
        table.add_row(group, *(f"{found[emotion]:,}" for emotion in EMOTIONS), f"{found.total():,}")
    return table
