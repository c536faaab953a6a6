"""What the audit prints: the precision of the labels by emotion, and the strata of a sample."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from emotion_udf.audit.draw import Drawn
from emotion_udf.audit.precision import Precision, Stratum, precision
from emotion_udf.emotions import EMOTIONS

Row = Mapping[str, Any]


def sample_table(title: str, rows: Sequence[Drawn]) -> Table:
    """Return how many messages each stratum has, and how many were drawn."""
    drawn = Counter(row.stratum for row in rows)
    sizes = {row.stratum: row.stratum_count for row in rows}
    table = _table(title, "stratum", "messages", "drawn")
    for stratum in sorted(sizes):
        table.add_row(stratum, f"{sizes[stratum]:,}", f"{drawn[stratum]:,}")
    return table


def precision_table(audits: Sequence[Row], drawn: Sequence[Row]) -> Table:
    """Return the precision of each emotion's labels and of all, with intervals.

    Args:
        audits: Rows of `audits` of one sample.
        drawn: Its rows of `audit_samples`, which tell every stratum.
    """
    title = "Labels that are right, in percent, with 95 % intervals"
    table = _table(title, "label", "messages", "read", "right", "confident", "right")
    strata = strata_of(audits, drawn)
    for emotion in (*EMOTIONS, "all"):
        own = {name: stratum for name, stratum in strata.items() if emotion in ("all", name.partition("/")[0])}
        if own:
            found = precision(own.values())
            confident = precision(stratum for name, stratum in own.items() if name.endswith("/confident"))
            table.add_row(emotion, f"{found.messages + found.unread:,}", *_cells(found), *_cells(confident))
    return table


def strata_of(audits: Sequence[Row], drawn: Sequence[Row]) -> dict[str, Stratum]:
    """Return what people found, by stratum."""
    read = Counter(row["stratum"] for row in audits)
    right = Counter(row["stratum"] for row in audits if row["human_emotion"] == row["emotion"])
    sizes = {row["stratum"]: row["stratum_count"] for row in drawn}
    return {name: Stratum(size, read[name], right[name]) for name, size in sorted(sizes.items())}


def _cells(found: Precision) -> tuple[str, str]:
    if found.value is None:
        return "0", ""
    return f"{found.read:,}", f"{100 * found.value:.0f} ({100 * found.low:.0f} to {100 * found.high:.0f})"


def _table(title: str, *headings: str) -> Table:
    """Return a table without rows, its first column of words and the others of numbers."""
    table = Table(title=title, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table
