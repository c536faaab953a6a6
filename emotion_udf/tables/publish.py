"""Publishing a night: the deciding table is committed, the others follow it, and the release moves on.

The commit of the first table decides who holds the dates; of two runs over the same dates the other one finds that
commit and stops (`WindowHeldError`). From then on everything that is left to do follows from what the tables say, so
`settle` does it the same way for the run itself and for one that was killed on the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError
from pyspark.sql.types import StructType

from emotion_udf.errors import GateError, WindowHeldError
from emotion_udf.storage import ParquetFile
from emotion_udf.tables.claims import commit_claim, day_of, files_of, withdraw_vanished
from emotion_udf.tables.delta import DeltaTables, missing_fields
from emotion_udf.tables.durability import sync_pointer, sync_tables
from emotion_udf.tables.ownership import Claim, claims_since, holders
from emotion_udf.tables.releases import move_pointer, next_release, open_pointer, read_release
from emotion_udf.tables.warehouse import Commit, Release

# Each lost race means that another run published other dates meanwhile; so many in a row do not happen.
_ATTEMPTS: Final = 40


def publish_tables(tables: DeltaTables, schemas: Mapping[str, StructType], commit: Commit, since: int) -> Release:
    """Replace the commit's dates by the files in the run's data folders (see `Warehouse.publish`)."""
    files = {table: tables.run_files(table, commit.run_id) for table in schemas}
    for written in files.values():
        require_own_dates(written, commit)
    delta_schemas = {table: Schema.from_json(schema.json()) for table, schema in schemas.items()}
    for table, schema in delta_schemas.items():
        tables.check_types(table, schema)
    rows = {table: sum(file.rows for file in written) for table, written in files.items()}
    claim = Claim(commit.run_id, commit.days, rows)
    return take_dates(tables, delta_schemas, claim, files[next(iter(schemas))], since)


def take_dates(
    tables: DeltaTables, schemas: Mapping[str, Schema], claim: Claim, files: Sequence[ParquetFile], since: int
) -> Release:
    """Let a claim hold its dates in all tables, and release them.

    Args:
        tables: The warehouse.
        schemas: The tables of a night, the deciding one first, with the columns that they need.
        claim: The run and its dates.
        files: The claim's files of the deciding table; those of the others follow from the claim.
        since: The version of the deciding table from which on another run's claim counts.

    Raises:
        WindowHeldError: Another run has claimed one of the dates after `since`.
    """
    names = list(schemas)
    _claim_dates(tables, schemas, claim, files, since)
    release = settle(tables, names)
    target = tables.open(names[0])
    held = holders(claims_since(target, since)) if target else {}
    _refuse_held({day: other for day, other in held.items() if day in claim.days}, names[0], claim.run_id)
    if release is None:
        raise WindowHeldError(f"expected a release of {', '.join(names)}, found a table missing; run again")
    return release


def settle(tables: DeltaTables, names: Sequence[str]) -> Release | None:
    """Bring every table to the runs that hold its dates, and release what is then there.

    A run of which files are gone cannot be followed: its claim is withdrawn, with a warning, and its dates show again
    what the newest release has of them.

    Args:
        tables: The warehouse.
        names: The tables of a night, the deciding one first.

    Returns:
        The newest release; None where a table has never been made.

    Raises:
        WindowHeldError: Other writers came first each time.
    """
    for _ in range(_ATTEMPTS):
        # The deciding table is read last: who holds a date there by now may commit to the others only after that,
        # and such a commit makes ours fail.
        pointer = open_pointer(tables)
        current = read_release(pointer)
        opened = {name: table for name in reversed(names) if (table := tables.open(name))}
        if any(name not in opened for name in names if current is None or name in current.versions):
            return current
        there = [name for name in names if name in opened]  # a table of a later version may be still to come
        released = _still_there(current, opened)
        claims = {name: claims_since(table, released.get(name, -1)) for name, table in opened.items()}
        try:
            unfinished = _unfinished(claims, there, is_all_unreleased=current is None or bool(released))
            if withdraw_vanished(tables, opened, unfinished, current):
                continue
            if _follow(tables, opened, claims, there):
                continue
            versions = {name: opened[name].version() for name in there}
            if current and versions == dict(current.versions):
                return current
            # Commits of no run, such as a compaction, leave the night as it is.
            runs = [claim.run_id for claim in claims[names[0]]] or [current.run_id if current else ""]
            release = next_release(current, runs[-1], versions)
            sync_tables(opened, claims[names[0]])
            move_pointer(pointer, release)
            sync_pointer(tables)
        except CommitFailedError:
            continue
        return release
    raise WindowHeldError(
        f"expected to release {', '.join(names)} within {_ATTEMPTS} attempts, found another writer's commit before "
        "each; run again when fewer jobs write to this warehouse"
    )


def _still_there(current: Release | None, opened: Mapping[str, DeltaTable]) -> Mapping[str, int]:
    """Return the released versions from which on claims count; none where a table has lost the version it had.

    A power cut can take a table's newest commit. Then all that is left of the history is compared.
    """
    released = current.versions if current else {}
    lost = any(table.version() < released.get(name, -1) for name, table in opened.items())
    return {} if lost else released


def _unfinished(claims: Mapping[str, list[Claim]], names: Sequence[str], is_all_unreleased: bool) -> dict[str, Claim]:
    """Return the dates, with their holders, of which the files are still needed.

    Those of older nights may have been joined or deleted meanwhile, so where the claims reach back to released ones, it
    is only those that another table does not show yet.
    """
    held = {name: holders(of_table) for name, of_table in claims.items()}

    def is_behind(day: str, claim: Claim) -> bool:
        return any(day not in held[name] or held[name][day].run_id != claim.run_id for name in names)

    return {day: claim for day, claim in held[names[0]].items() if is_all_unreleased or is_behind(day, claim)}


def _follow(
    tables: DeltaTables, opened: Mapping[str, DeltaTable], claims: Mapping[str, list[Claim]], names: Sequence[str]
) -> bool:
    """Commit to each table the dates that it holds of another run than the deciding one; tell if there were any."""
    decided = holders(claims[names[0]])
    moved = False
    for name in names[1:]:
        held = holders(claims[name])
        behind: dict[str, list[str]] = {}
        for day, claim in decided.items():
            if day not in held or held[day].run_id != claim.run_id:
                behind.setdefault(claim.run_id, []).append(day)
        for run_id, days in behind.items():
            claim = next(claim for claim in reversed(claims[names[0]]) if claim.run_id == run_id)
            commit_claim(opened[name], replace(claim, days=days), files_of(tables, name, claim))
            moved = True
    return moved


def _claim_dates(
    tables: DeltaTables, schemas: Mapping[str, Schema], claim: Claim, files: Sequence[ParquetFile], since: int
) -> None:
    """Commit the deciding table, after making all tables ready to follow it."""
    first = next(iter(schemas))
    for _ in range(_ATTEMPTS):
        try:
            # The order matters: a commit that slips in after the check has a newer version, and ours then fails.
            target = tables.open_or_create(first, schemas[first])
            newer = holders(claims_since(target, since))
            _refuse_held({day: other for day, other in newer.items() if day in claim.days}, first, claim.run_id)
            if _make_ready(tables, schemas):
                continue  # a commit of its own, which readers do not notice: look again before ours
            commit_claim(target, claim, files)
        except CommitFailedError:
            continue
        return
    raise WindowHeldError(
        f"expected to commit {first} within {_ATTEMPTS} attempts, found another writer's commit before each; "
        "run again when fewer jobs write to this warehouse"
    )


def _make_ready(tables: DeltaTables, schemas: Mapping[str, Schema]) -> bool:
    """Make the tables that are missing and add the columns that they lack; tell if any was changed."""
    changed = False
    for table, schema in schemas.items():
        target = tables.open_or_create(table, schema)
        missing = missing_fields(target, schema)
        if missing:
            target.alter.add_columns(missing)
            changed = True
    return changed


def _refuse_held(held: Mapping[str, Claim], table: str, run_id: str) -> None:
    """Stop where another run holds one of the dates."""
    others = {day: claim.run_id for day, claim in held.items() if claim.run_id != run_id}
    if others:
        other = next(iter(others.values()))
        raise WindowHeldError(
            f"expected the dates of {table} to be as this run found them, found that run {other} published "
            f"{', '.join(sorted(others))} meanwhile; its numbers stand, start again if this run's should replace them"
        )


def require_own_dates(files: Sequence[ParquetFile], commit: Commit) -> None:
    """Refuse files of a date that is not the commit's, whose rows would join another run's."""
    foreign = sorted({day_of(file) for file in files} - set(commit.days))
    if foreign:
        raise GateError(
            f"expected rows of {min(commit.dates)} to {max(commit.dates)} only, found rows of {', '.join(foreign)}; "
            "check that Java and Python on the driver have the same time zone data"
        )
