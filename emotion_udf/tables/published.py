"""Whether some days are published, as `releases` and `runs` tell it.

A scheduler cannot go by exit codes alone: where the driver runs elsewhere, they are those of whatever has started it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from emotion_udf.errors import NotPublishedError
from emotion_udf.schemas import LABELS
from emotion_udf.storage import Folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.files import list_files, open_version
from emotion_udf.tables.ownership import claims_until, holders
from emotion_udf.tables.readers import no_tables
from emotion_udf.tables.runs import list_runs
from emotion_udf.tables.warehouse import Release

_COLUMNS: Final = ("run_id", "from_date", "to_date", "outcome", "exit_code", "error")


@dataclass(frozen=True)
class Published:
    """What the newest release shows of some days.

    Attributes:
        release: The newest release, None before the first.
        missing: Those of the days that it does not show, or not by a run that began late enough.
        last_runs: Of a missing day the last run that was to label it, some columns of its row in `runs`.
    """

    release: Release | None
    missing: Sequence[date]
    last_runs: Mapping[date, Mapping[str, Any]] = field(default_factory=dict)

    def require_all(self) -> Release:
        """Return the release, which shows all of the days.

        Raises:
            NotPublishedError: Some are missing; it names them, with what `runs` says of each.
        """
        if self.release and not self.missing:
            return self.release
        found = f"release {self.release.number} without" if self.release else "no release yet"
        days = ", ".join(map(str, self.missing))
        told = "\n".join(f"  {line}" for line in self._told())
        raise NotPublishedError(f"expected {days} in the newest release, found {found}; runs says:\n{told}")

    def _told(self) -> list[str]:
        of_run: dict[str, list[date]] = {}
        for day in self.missing:
            of_run.setdefault(_sentence(self.last_runs.get(day)), []).append(day)
        return [f"{', '.join(map(str, days))}: {sentence}" for sentence, days in of_run.items()]


def find_published(root: Folder, days: Sequence[date], since: datetime | None = None) -> Published:
    """Look for days in the newest release.

    Args:
        root: The warehouse's root.
        days: The days.
        since: Only what a run has published that began at this moment or later counts, so that an attempt to label
            days again is not taken for done because of the labels that were there before.

    Raises:
        UsageError: There are no tables of the nightly job below the root.
    """
    warehouse = DeltaWarehouse(root)
    release = warehouse.release()
    runs = list_runs(warehouse, _COLUMNS)
    if release is None and not runs:
        raise no_tables(root)
    shown = _shown(warehouse, release) if release else {}
    began = {row["run_id"]: row["started_at"] for row in runs}
    missing = [day for day in days if day not in shown or not _is_late_enough(shown[day], since, began)]
    # Oldest first, so that the last one stays.
    last_runs = {day: row for row in runs for day in missing if row["from_date"] <= day <= row["to_date"]}
    return Published(release, missing, last_runs)


def _shown(warehouse: DeltaWarehouse, release: Release) -> dict[date, str]:
    """Return the days that a release shows, each with the run that holds it, if the log still tells."""
    labels = open_version(warehouse, LABELS, release.versions[LABELS])
    newest = warehouse.open(LABELS)
    files = {listed.day: "" for listed in list_files(labels)} if labels else {}
    claims = holders(claims_until(newest, release.versions[LABELS])) if newest else {}
    held = {day: claim.run_id for day, claim in claims.items() if claim.versions != {}}
    return {date.fromisoformat(day): run_id for day, run_id in (files | held).items()}


def _is_late_enough(run_id: str, since: datetime | None, began: Mapping[str, datetime]) -> bool:
    return since is None or (run_id in began and began[run_id] >= since)


def _sentence(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "no run that has ended; one may be at work, was killed, or never began"
    started = f"{row['started_at'].astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    error = f": {row['error'].splitlines()[0]}" if row["error"] else ""
    return f"run {row['run_id']} of {started} ended as {row['outcome']} ({row['exit_code']}){error}"
