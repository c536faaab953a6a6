"""A release -> the page's data -> one file, put in place whole."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import duckdb

from emotion_udf.dashboard.columns import pack
from emotion_udf.dashboard.cube import UNKNOWN_UNIT, build_cube
from emotion_udf.dashboard.examples import read_examples
from emotion_udf.dashboard.page import render
from emotion_udf.dashboard.release import OpenRelease, open_release
from emotion_udf.dashboard.terms import build_terms
from emotion_udf.dashboard.trust import find_evaluation, precision_by_sample, read_audits, read_quarantine, read_runs
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError, UsageError
from emotion_udf.schemas import AUDITS, LABELS, RUNS, TERMS

DAYS: Final = 366
"""How many days a page shows by default: a year, also a leap year."""

MAX_BYTES: Final = 3_000_000
"""What a page may take, to be sent and opened anywhere."""


@dataclass(frozen=True)
class Detail:
    """How finely a page tells things apart.

    Attributes:
        cells: The most combinations of day and dimensions; 365 days x 50 products x 4 sources are 73,000.
        terms: The most rows of terms.
        unit: What mean probabilities are counted in.
    """

    cells: int
    terms: int
    unit: int


_DETAILS: Final = (
    Detail(cells=80_000, terms=40_000, unit=10_000),
    Detail(cells=80_000, terms=10_000, unit=1_000),
    Detail(cells=50_000, terms=10_000, unit=1_000),
    Detail(cells=20_000, terms=5_000, unit=1_000),
)
"""From the finest on; the first that `MAX_BYTES` can hold is taken."""


@dataclass(frozen=True)
class PageOptions:
    """What a page shows.

    Attributes:
        title: Its heading.
        days: At most so many days, the last ones of the release.
        examples: Whether to show example messages, where the tables have texts.
        evaluation: An `evaluation.json` of the model; that of the model's folder by default.
    """

    title: str = "Emotions in feedback"
    days: int = DAYS
    examples: bool = True
    evaluation: Path | None = None


def build_dashboard(root: str, out: Path, options: PageOptions | None = None) -> int:
    """Write the page of a warehouse's newest release; a page that is there stays until the new one is whole.

    Args:
        root: The warehouse's root, a path or a URI.
        out: The file.
        options: What it shows.

    Returns:
        The file's size in bytes.

    Raises:
        UsageError: There are no tables or no release, or the file cannot be written.
        InputError: The release cannot be read, or shows no day.
    """
    options = options or PageOptions()
    check_writable(out)
    opened = open_release(root, options.examples)
    for detail in _DETAILS:
        page = render(options.title, page_data(opened, options, detail)).encode("utf-8")
        if len(page) <= MAX_BYTES:
            break
    _write(out, page)
    return len(page)


def page_data(opened: OpenRelease, options: PageOptions, detail: Detail) -> Mapping[str, Any]:
    """Return all that the page shows, as JSON."""
    with duckdb.connect(config={"autoinstall_known_extensions": False, "TimeZone": "UTC"}) as connection:
        for name, dataset in opened.tables.items():
            connection.register(name, dataset)
        held = _runs_by_day(connection, opened)
        last = max(held)
        first = max(min(held), last - timedelta(days=options.days - 1))
        cube = build_cube(connection, opened.dimensions, first, last, detail.cells, detail.unit)
        names = [dimension.name for dimension in cube.dimensions]
        runs = _runs(connection, opened, held)
        newest = next((run for run in runs if run["run_id"] == opened.release.run_id), None)
        audits = read_audits(connection) if AUDITS in opened.tables else []
        return {
            "version": version("emotion-udf"),
            "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "emotions": EMOTIONS,
            "units": {"probability": detail.unit, "unknown": UNKNOWN_UNIT},
            "release": {
                "number": opened.release.number,
                "run_id": opened.release.run_id,
                "released_at": opened.release.released_at.astimezone(UTC).isoformat(timespec="seconds"),
            },
            "first": first.isoformat(),
            "last": last.isoformat(),
            "held_from": min(held).isoformat(),
            # The run of each day; None where no run has published it.
            "days": [held.get(first + timedelta(days=number)) for number in range((last - first).days + 1)],
            "runs": runs,
            "evaluation": find_evaluation(
                newest["model_fingerprint"] if newest else None,
                newest["model"] if newest else None,
                options.evaluation,
            ),
            "dimensions": [
                {"name": dimension.name, "values": dimension.values, "others": dimension.others}
                for dimension in cube.dimensions
            ],
            "left_out": cube.left_out,
            "cube": pack(cube.columns).manifest(),
            "terms": _terms(connection, opened, names, first, last, detail.terms),
            "quarantine": read_quarantine(connection, first, last),
            "audits": audits,
            "precision": precision_by_sample(audits),
            "examples": read_examples(connection, names, first, last) if LABELS in opened.tables else None,
        }


def check_writable(out: Path) -> None:
    """Check, before anything is read, that the page can be put there.

    Raises:
        UsageError: It cannot.
    """
    if out.is_dir():
        raise UsageError(f"expected a file for the page, found the folder {out}; name a file, such as {out}/index.html")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=out.parent)
        os.close(handle)
        os.unlink(name)
    except OSError as error:
        raise _unwritable(out, error) from error


def _write(out: Path, page: bytes) -> None:
    """Put the page in the place of the one before in one step, readable for all whom the umask allows."""
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as stream:
            stream.write(page)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(out)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise _unwritable(out, error) from error


def _unwritable(out: Path, error: OSError) -> UsageError:
    return UsageError(
        f"expected a place that this job may write to, found none at {out} ({error.strerror}); name another one, or "
        "give the job the right to write there"
    )


def _runs_by_day(connection: duckdb.DuckDBPyConnection, opened: OpenRelease) -> dict[date, str]:
    """Return the run of each published day: that of its rows, or for a day without any the one that holds it.

    Raises:
        InputError: There is no such day.
    """
    rows = connection.execute("SELECT event_date, max(run_id) FROM emotion_daily GROUP BY event_date").fetchall()
    found = {**opened.holders, **{row[0]: row[1] for row in rows}}
    if not found:
        raise InputError(
            f"expected days in release {opened.release.number}, found none; run a night, then build the page again"
        )
    return found


def _runs(connection: duckdb.DuckDBPyConnection, opened: OpenRelease, held: Mapping[date, str]) -> list[dict[str, Any]]:
    if RUNS not in opened.tables:
        return []
    return read_runs(connection, [opened.release.run_id, *set(held.values())])


def _terms(
    connection: duckdb.DuckDBPyConnection,
    opened: OpenRelease,
    dimensions: list[str],
    first: date,
    last: date,
    max_rows: int,
) -> dict[str, Any] | None:
    if TERMS not in opened.tables:
        return None
    found = build_terms(connection, dimensions, opened.tables[TERMS].schema.names, first, last, max_rows)
    return {
        "terms": found.terms,
        "dimensions": found.dimensions,
        "step": found.step,
        "packed": pack(found.columns).manifest(),
    }
