"""The release that a page shows: every table at the version which the release names, checked before it is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow.dataset as ds
from deltalake import DeltaTable

from emotion_udf.errors import InputError
from emotion_udf.schemas import AUDITS, DAILY, LABELS, QUARANTINE, RUNS, TERMS
from emotion_udf.storage import open_folder
from emotion_udf.tables.ownership import claims_until, holders
from emotion_udf.tables.readers import open_for_readers
from emotion_udf.tables.warehouse import Release

_KEYS: Final = ("event_date", "emotion")
_MEASURES: Final = (
    "feedback_count",
    "mean_probability",
    "low_confidence_count",
    "truncated_count",
    "distinct_text_count",
    "foreign_count",
    "token_count",
    "unknown_token_count",
    "total_count",
)
_NOT_SHOWN: Final = ("share", "run_id")

_NEEDED: Final[Mapping[str, Sequence[str]]] = {
    LABELS: ("event_date", "emotion", "confidence", "is_confident"),
    DAILY: (*_KEYS, *_MEASURES, "run_id"),
    QUARANTINE: ("event_date", "reasons"),
    TERMS: (*_KEYS, "term", "feedback_count"),
    RUNS: ("run_id", "from_date", "to_date", "started_at", "outcome", "model", "model_fingerprint", "gates"),
    AUDITS: (
        "sample_id",
        "from_date",
        "to_date",
        "emotion",
        "stratum",
        "stratum_count",
        "human_emotion",
        "model_fingerprint",
    ),
}
"""The columns that the page reads of each table."""


@dataclass(frozen=True)
class OpenRelease:
    """A release whose tables are open and complete.

    Attributes:
        release: Its row of `releases`.
        dimensions: The dimensions of `emotion_daily`, in its order.
        tables: Data sets by table: those of the release at its versions, `runs` and `audits` as they are now. `runs`,
            `audits` and `emotion_terms` are there where the warehouse has them.
        holders: The run that holds each published day, also of days without a message, as far back as the log goes.
    """

    release: Release
    dimensions: Sequence[str]
    tables: Mapping[str, ds.Dataset]
    holders: Mapping[date, str]


def open_release(root: str, with_texts: bool = True) -> OpenRelease:
    """Open the newest release of a warehouse.

    Args:
        root: The warehouse's root, a path or a URI.
        with_texts: Open `emotion_labels` too, where it has texts.

    Raises:
        UsageError: There are no tables, or nothing was released yet.
        InputError: A table lacks a column, or files of the release are gone.
    """
    view = open_for_readers(open_folder(root))
    shown = (DAILY, QUARANTINE, TERMS, RUNS, AUDITS)
    opened = {name: table for name, table in view.tables.items() if name in shown}
    labels = view.tables[LABELS]
    if with_texts and "text" in _columns(labels):
        opened[LABELS] = labels
    for name, table in opened.items():
        _check_columns(name, table)
    view.require_files(opened)
    held = holders(claims_until(labels, view.release.versions[LABELS]))
    return OpenRelease(
        release=view.release,
        dimensions=[name for name in _columns(opened[DAILY]) if name not in (*_KEYS, *_MEASURES, *_NOT_SHOWN)],
        tables={name: table.to_pyarrow_dataset() for name, table in opened.items()},
        holders={date.fromisoformat(day): claim.run_id for day, claim in held.items() if claim.versions != {}},
    )


def _columns(table: DeltaTable) -> list[str]:
    return [field.name for field in table.schema().fields]


def _check_columns(name: str, table: DeltaTable) -> None:
    """Check that the table has what the page reads of it; older rows may have nulls there."""
    present = _columns(table)
    missing = [column for column in _NEEDED[name] if column not in present]
    if missing:
        work = "record a sample" if name == AUDITS else "run a night"
        raise InputError(
            f"expected the columns {', '.join(missing)} in {name}, found a table without them, as earlier versions "
            f"made it; {work} with this version, which adds them"
        )
