"""The releases as a person wants to see them: what each changed, and if it can still be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from emotion_udf.schemas import RELEASES
from emotion_udf.tables.delta import DeltaTables
from emotion_udf.tables.files import list_files, open_version, stored_files
from emotion_udf.tables.ownership import Claim, claims_since
from emotion_udf.tables.releases import list_releases
from emotion_udf.tables.warehouse import Release


class Change(StrEnum):
    """The reason for a release."""

    NIGHT = "night"
    ROLLBACK = "rollback"
    UPKEEP = "upkeep"


@dataclass(frozen=True)
class ListedRelease:
    """A release and what became of it.

    Attributes:
        release: The release.
        change: The reason for it; `UPKEEP` leaves the rows as they were, or without those of a forgotten message.
        days: The dates that its run replaced, `YYYY-MM-DD`; none of an upkeep.
        missing_files: Its files that are gone; None where the log no longer reaches back to it.
    """

    release: Release
    change: Change
    days: Sequence[str]
    missing_files: int | None


def describe_releases(tables: DeltaTables, names: Sequence[str], last: int) -> list[ListedRelease]:
    """Return the newest releases, oldest first.

    Args:
        tables: The warehouse.
        names: The tables of a night, the deciding one first.
        last: How many.
    """
    releases = list_releases(tables.open(RELEASES))
    labels = tables.open(names[0])
    claims = {claim.run_id: claim for claim in claims_since(labels, -1)} if labels else {}
    stored = {name: frozenset(stored_files(tables.folder(name))) for name in names}
    runs_before = ["", *(release.run_id for release in releases)]
    described = []
    for run_before, release in list(zip(runs_before, releases, strict=False))[-last:]:
        claim = None if release.run_id == run_before else claims.get(release.run_id)
        missing = [_missing_files(tables, name, release.versions.get(name), stored[name]) for name in names]
        known = [count for count in missing if count is not None]
        described.append(
            ListedRelease(
                release=release,
                change=_change(claim),
                days=sorted(claim.days) if claim else [],
                missing_files=sum(known) if len(known) == len(missing) else None,
            )
        )
    return described


def _change(claim: Claim | None) -> Change:
    if claim is None:
        return Change.UPKEEP
    return Change.NIGHT if claim.versions is None else Change.ROLLBACK


def _missing_files(tables: DeltaTables, table: str, version: int | None, stored: frozenset[str]) -> int | None:
    """Count the files of a version that are gone; None without its log, 0 of a table that came later."""
    if version is None:
        return 0
    target = open_version(tables, table, version)
    return None if target is None else sum(entry.file.path not in stored for entry in list_files(target))
