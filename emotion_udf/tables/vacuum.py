"""Deleting files that nobody needs any more: those of releases that are no longer kept, and those of no table at all.

One rule decides: a file stays if a version that is kept lists it, if a run may still commit it, or if it is younger
than the horizon. delta-rs's own vacuum cannot be told of the runs that write, nor of those that others must finish.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from emotion_udf.errors import UsageError
from emotion_udf.schemas import RELEASES
from emotion_udf.storage import Folder, in_threads
from emotion_udf.tables.delta import DATA, DeltaTables
from emotion_udf.tables.files import delete_file, list_files, open_version, stored_files
from emotion_udf.tables.ownership import Claim, claims_since
from emotion_udf.tables.releases import list_releases, read_release
from emotion_udf.tables.staging import running_runs
from emotion_udf.tables.warehouse import Release


@dataclass(frozen=True)
class UnneededFile:
    """A file that can go.

    Attributes:
        table: The table in whose folder it lies.
        path: Its path relative to the table.
        size: Bytes.
    """

    table: str
    path: str
    size: int


def kept_releases(releases: Sequence[Release], horizon: datetime) -> list[Release]:
    """Return the releases that were the newest one at the horizon or later."""
    replaced_at = [release.released_at for release in releases[1:]]
    return [release for release, end in zip(releases, replaced_at, strict=False) if end >= horizon] + list(
        releases[-1:]
    )


def find_unneeded(
    tables: DeltaTables, names: Sequence[str], others: Sequence[str], staging: Folder, horizon: datetime
) -> list[UnneededFile]:
    """Return the files that nothing needs which was there at the horizon, or came later.

    Args:
        tables: The warehouse.
        names: The tables of a night, the deciding one first.
        others: Tables of no release.
        staging: The staging root, which tells the runs that write at this moment.
        horizon: Releases that were replaced before it are not kept.

    Raises:
        UsageError: The log no longer reaches back to a release that is to be kept.
    """
    # Files are listed before the runs, and these before the tables: what a run commits meanwhile is in one of them.
    stored = {name: stored_files(tables.folder(name)) for name in (*names, *others)}
    running = running_runs(staging)
    unfinished = _unfinished(tables, names[0])
    releases = kept_releases(list_releases(tables.open(RELEASES)), horizon)
    safe_runs = {*running, *(claim.run_id for claim in unfinished)}
    unneeded = []
    for name, files in stored.items():
        kept = _paths_since(tables, name, horizon)
        if name in names:
            kept |= _paths_of(tables, name, [release.versions.get(name) for release in releases])
            kept |= _paths_of(tables, name, [claim.versions.get(name) for claim in unfinished if claim.versions])
        unneeded += [
            UnneededFile(name, path, info.size)
            for path, info in files.items()
            if path not in kept and _run_of(path) not in safe_runs and info.mtime < horizon
        ]
    return unneeded


def delete_unneeded(tables: DeltaTables, file: UnneededFile) -> None:
    """Delete a file, and the folders of its run that are empty then."""
    folder = tables.folder(file.table)
    delete_file(folder, file.path)
    _remove_empty_parents(folder, file.path)


def _unfinished(tables: DeltaTables, deciding: str) -> list[Claim]:
    """Return the claims that no release shows yet."""
    labels = tables.open(deciding)
    release = read_release(tables.open(RELEASES))
    return claims_since(labels, release.versions[deciding] if release else -1) if labels else []


def _paths_since(tables: DeltaTables, table: str, horizon: datetime) -> set[str]:
    """Return what the newest version of a table lists, and what it listed at the horizon.

    A file that was listed for some time in between is younger than the horizon.
    """
    target = tables.open(table)
    if target is None:
        return set()
    entries = target.history()
    before = [entry["version"] for entry in entries if _committed_at(entry["timestamp"]) <= horizon]
    return _paths_of(tables, table, [target.version(), *before[:1]])


def _paths_of(tables: DeltaTables, table: str, versions: Iterable[int | None]) -> set[str]:
    """Return what some versions of a table list."""
    wanted = sorted({version for version in versions if version is not None})
    opened = in_threads(partial(open_version, tables, table), wanted)
    for version, target in zip(wanted, opened, strict=True):
        if target is None:
            raise UsageError(
                f"expected to read version {version} of {table}, which has to be kept, found that its log no longer "
                "reaches back to it; nothing is deleted, choose a later horizon"
            )
    return {listed.file.path for target in opened if target for listed in list_files(target)}


def _committed_at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _run_of(path: str) -> str:
    """Return the run in whose data folder a file lies; empty for a file of a compaction."""
    first, _, rest = path.partition("/")
    return rest.partition("/")[0] if first == DATA else ""


def _remove_empty_parents(folder: Folder, path: str) -> None:
    """Remove the folders above a file that was deleted, up to its run's, as long as they are empty."""
    parts = path.split("/")[:-1]
    while len(parts) > 1 and parts[0] == DATA:
        parent = folder / "/".join(parts)
        if parent.children():
            return
        parent.remove()
        parts.pop()
