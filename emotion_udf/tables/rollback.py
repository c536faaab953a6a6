"""Going back to an earlier release: the dates that changed since show the files again that they had in it.

It is a release like any other. A claim, which names the versions to take the files from, is committed to the deciding
table; `settle` does the rest, also after a kill.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from emotion_udf.errors import UsageError
from emotion_udf.schemas import RELEASES
from emotion_udf.tables.delta import DeltaTables
from emotion_udf.tables.files import ListedFile, files_at, missing_paths
from emotion_udf.tables.ownership import Claim, claims_since, claims_until, shown_days
from emotion_udf.tables.publish import settle, take_dates
from emotion_udf.tables.releases import list_releases, read_release
from emotion_udf.tables.warehouse import Release


@dataclass(frozen=True)
class Rollback:
    """A way back to a release.

    Attributes:
        target: The release.
        days: The dates that change, `YYYY-MM-DD`, sorted.
        later: The dates that changed since but did not exist in the release; they stay.
        rows: The rows of each table that these dates get back.
        since: The version of the deciding table from which on another run's claim stops the rollback.
    """

    target: Release
    days: Sequence[str]
    later: Sequence[str]
    rows: Mapping[str, int]
    since: int


def find_release(tables: DeltaTables, number: int) -> Release:
    """Return a release by its number.

    Raises:
        UsageError: There is none, or the log no longer reaches back to it.
    """
    found = {release.number: release for release in list_releases(tables.open(RELEASES))}
    if number not in found:
        known = f"{min(found)} to {max(found)}" if found else "none"
        raise UsageError(f"expected the number of a release that the log still has ({known}), found {number}")
    return found[number]


def plan_rollback(tables: DeltaTables, names: Sequence[str], number: int) -> Rollback:
    """Find out what has to change so that a release is shown again.

    A date that a later release replaced gets its files of then. A date that did not exist then keeps what it has. The
    newest release itself can be the target: dates that a killed run has claimed, and which nobody can finish because
    its files are gone, are then taken back.

    Args:
        tables: The warehouse.
        names: The tables of a night, the deciding one first.
        number: The release.

    Raises:
        UsageError: There is no such release, or its files have been deleted.
    """
    target = find_release(tables, number)
    current = read_release(tables.open(RELEASES))
    to_newest = current is not None and current.number == number
    labels = tables.open(names[0])
    since = labels.version() if labels else -1
    version = target.versions[names[0]]
    changed = _claimed(claims_since(labels, version)) if labels else set()
    earlier = shown_days(claims_until(labels, version)) if labels else set()
    then = {name: files_at(tables, name, target.versions.get(name)) for name in names}
    with_rows = {listed.day for files in then.values() for listed in files}
    existed = changed if to_newest else changed & (with_rows | earlier)
    now = {name: files_at(tables, name, tables.version(name)) for name in names}
    days = existed if to_newest else {day for day in existed if _paths(then, day) != _paths(now, day)}
    _require_files(tables, then, days, number)
    return Rollback(
        target=target,
        days=sorted(days),
        later=sorted(changed - existed),
        rows={name: sum(listed.file.rows for listed in then[name] if listed.day in days) for name in names},
        since=since,
    )


def roll_back(tables: DeltaTables, names: Sequence[str], plan: Rollback, run_id: str) -> Release:
    """Show a release again.

    Args:
        tables: The warehouse.
        names: The tables of a night, the deciding one first.
        plan: What has to change.
        run_id: The name under which the dates are held from now on.

    Returns:
        The new release.

    Raises:
        WindowHeldError: A night has published one of the dates since the plan was made, or a killed one cannot be
            finished: roll back to the newest release first.
    """
    current = read_release(tables.open(RELEASES))
    if current is not None and current.number != plan.target.number:
        settle(tables, names)
    if not plan.days:
        return plan.target
    schemas = {name: table.schema() for name in names if (table := tables.open(name))}
    claim = Claim(run_id, plan.days, plan.rows, plan.target.versions)
    files = [
        listed.file for listed in files_at(tables, names[0], plan.target.versions[names[0]]) if listed.day in plan.days
    ]
    return take_dates(tables, schemas, claim, files, plan.since)


def _claimed(claims: Iterable[Claim]) -> set[str]:
    return {day for claim in claims for day in claim.days}


def _paths(files: Mapping[str, Sequence[ListedFile]], day: str) -> dict[str, set[str]]:
    return {name: {file.file.path for file in listed if file.day == day} for name, listed in files.items()}


def _require_files(tables: DeltaTables, then: Mapping[str, Sequence[ListedFile]], days: set[str], number: int) -> None:
    """Refuse to bring back files that are gone."""
    wanted = {name: [listed.file.path for listed in files if listed.day in days] for name, files in then.items()}
    gone = sum(len(missing_paths(tables.folder(name), paths)) for name, paths in wanted.items())
    if gone:
        raise UsageError(
            f"expected the {sum(map(len, wanted.values()))} files that release {number} has of {len(days)} dates, "
            f"found {gone} of them deleted by vacuum or forget; show-releases lists the releases that are whole, and "
            "the nightly job labels dates again"
        )
