"""What a person reads at the end of a run."""

from collections import Counter

from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from emotion_udf.emotions import EMOTIONS
from emotion_udf.nightly.run import Run
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, RUNS
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta import PARTITION

_GROUPS_SHOWN = 12


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
        "texts": f"{counts.distinct_texts:,}",
        "reused": f"{counts.reused_texts:,}",
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
    folder = open_folder(run.settings.warehouse.root) / DAILY
    daily = DeltaTable(folder.delta_uri).to_pyarrow_table(filters=[(PARTITION, "in", run.window.dates)])
    counts: dict[str, Counter[str]] = {}
    for row in daily.to_pylist():
        group = "all" if by is None else row[by] or "(none)"
        counts.setdefault(group, Counter())[row["emotion"]] += row["feedback_count"]
    table = Table(title=f"Emotions by {by}" if by else "Emotions", title_justify="left")
    table.add_column(by or "")
    for heading in (*EMOTIONS, "messages"):
        table.add_column(heading, justify="right")
    for group, found in sorted(_largest(counts).items()):
        table.add_row(group, *(f"{found[emotion]:,}" for emotion in EMOTIONS), f"{found.total():,}")
    return table


def _largest(counts: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """Keep the groups with the most messages; a dimension can have thousands of values, and a terminal few lines."""
    by_size = sorted(counts, key=lambda group: counts[group].total(), reverse=True)
    kept = {group: counts[group] for group in by_size[:_GROUPS_SHOWN]}
    rest = by_size[_GROUPS_SHOWN:]
    if rest:
        kept[f"… {len(rest):,} others"] = sum((counts[group] for group in rest), Counter())
    return kept
