"""A claim and its files: committing them to a table, and taking a claim back whose files are gone.

A run that was killed after its first commit is finished by the next start, from the files in its data folders. Where
these are gone or cut, by a power cut or by hand, nobody can finish it. Its dates then go back to what the newest
release shows of them, by a claim like any other, so that the other tables follow and a kill in between does no harm.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from emotion_udf.schemas import PARTITION
from emotion_udf.storage import ParquetFile
from emotion_udf.tables.delta import COMMIT_ONLY, DeltaTables, add_action
from emotion_udf.tables.files import list_files, missing_paths, open_version, restored_files
from emotion_udf.tables.ownership import Claim, claims_until, shown_days
from emotion_udf.tables.warehouse import Release

log = logging.getLogger(__name__)


def commit_claim(target: DeltaTable, claim: Claim, files: Sequence[ParquetFile]) -> None:
    """Replace the claim's dates by those of the run's files that are of these dates.

    Raises:
        CommitFailedError: The table has a newer version than `target`.
    """
    actions: list[AddAction | RemoveAction] = [
        add_action(file, {PARTITION: day}) for file in files if (day := day_of(file)) in claim.days
    ]
    target.create_write_transaction(
        actions,
        mode="overwrite",
        schema=target.schema(),  # the whole table's: a column that this run lacks stays in older rows
        partition_by=[PARTITION],
        partition_filters=[(PARTITION, "in", list(claim.days))],
        commit_properties=CommitProperties(custom_metadata=claim.metadata, max_commit_retries=0),
        post_commithook_properties=COMMIT_ONLY,
    )


def files_of(tables: DeltaTables, table: str, claim: Claim) -> list[ParquetFile]:
    """List the files that a claim has for a table."""
    if claim.versions is None:
        return tables.run_files(table, claim.run_id)
    return restored_files(tables, table, claim.versions, claim.days)


def names_of_withdrawal(run_id: str) -> tuple[str, str]:
    """Return the names under which the dates of a run are held that nobody could finish: restored, or unpublished."""
    return f"{run_id}-restored", f"{run_id}-withdrawn"


def withdraw_vanished(
    tables: DeltaTables, opened: Mapping[str, DeltaTable], held: Mapping[str, Claim], current: Release | None
) -> bool:
    """Take back a claim that nobody can finish, because rows of it are missing.

    Args:
        tables: The warehouse.
        opened: The tables of a night as they are now, the deciding one last.
        held: Dates with the claims that are to be finished.
        current: The newest release.

    Returns:
        Whether there was one. Only some of its dates may have been taken back: look again.

    Raises:
        CommitFailedError: Another writer came first.
    """
    vanished = next((claim for claim in held.values() if not _is_whole(tables, claim, opened)), None)
    if vanished is None:
        return False
    deciding = list(opened)[-1]
    days = [day for day, claim in held.items() if claim.run_id == vanished.run_id]
    restored, withdrawn = names_of_withdrawal(vanished.run_id)
    shown = _restorable_days(tables, days, opened, current) if current else []
    back = (
        Claim(restored, shown, versions=current.versions) if current and shown else Claim(withdrawn, days, versions={})
    )
    commit_claim(opened[deciding], back, files_of(tables, deciding, back))
    log.warning(
        "run_id=%s it was killed while it published, and its files are gone or damaged: %s %s; label these dates again",
        vanished.run_id,
        ", ".join(back.days),
        "stay as they were before it" if shown else "stay unpublished",
    )
    return True


def day_of(file: ParquetFile) -> str:
    """Read `event_date=2026-10-05` off a data file's path."""
    folder = next(part for part in file.path.split("/") if part.startswith(f"{PARTITION}="))
    return folder.partition("=")[2]


def _is_whole(tables: DeltaTables, claim: Claim, names: Iterable[str]) -> bool:
    """Tell whether a claim has all the rows that it was made with."""
    try:
        found = {name: sum(file.rows for file in files_of(tables, name, claim)) for name in names}
    except pa.ArrowInvalid:  # a file is empty, cut or full of zeros
        return False
    return all(rows == claim.rows.get(name, rows) for name, rows in found.items())


def _restorable_days(
    tables: DeltaTables, days: Sequence[str], opened: Mapping[str, DeltaTable], current: Release
) -> list[str]:
    """Return those of some dates that a release shows, if it can still be read on them."""
    deciding = list(opened)[-1]
    shown = shown_days(claims_until(opened[deciding], current.versions[deciding])).intersection(days)
    for name in current.versions.keys() & opened.keys():
        released = open_version(tables, name, current.versions[name])
        if released is None:
            return []
        paths = [listed.file.path for listed in list_files(released) if listed.day in shown]
        if missing_paths(tables.folder(name), paths):
            return []
    return sorted(shown)
