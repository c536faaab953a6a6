"""Publishing a night: the deciding table is committed, the others follow it, and the release moves on.

The commit of the first table decides who holds the dates; of two runs over the same dates the other one finds that
commit and stops (`WindowHeldError`). From then on everything that is left to do follows from what the tables say, so
`settle` does it the same way for the run itself and for one that was killed on the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction
from pyspark.sql.types import StructType

from emotion_udf.errors import GateError, WindowHeldError
from emotion_udf.schemas import PARTITION
from emotion_udf.storage import ParquetFile
from emotion_udf.tables.delta import COMMIT_ONLY, DeltaTables, add_action, missing_fields
from emotion_udf.tables.durability import sync_pointer, sync_tables
from emotion_udf.tables.files import restored_files
from emotion_udf.tables.ownership import Claim, claims_since, holders
from emotion_udf.tables.releases import move_pointer, next_release, open_pointer, read_release
from emotion_udf.tables.warehouse import Commit, Release

# Each lost race means that another run published other dates meanwhile; so many in a row do not happen.
_ATTEMPTS: Final = 40


def publish_tables(tables: DeltaTables, schemas: Mapping[str, StructType], commit: Commit, since: int) -> Release:
    """Replace the commit's dates by the files in the run's data folders (see `Warehouse.publish`)."""
    files = {table: tables.run_files(table, commit.run_id) for table in schemas}
    for written in files.values():
        _require_own_dates(written, commit)
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
            files = _files_of(tables, name, claim)
            _require_whole(files, claim, name)
            _commit(opened[name], replace(claim, days=days), files)
            moved = True
    return moved


def _files_of(tables: DeltaTables, table: str, claim: Claim) -> list[ParquetFile]:
    """List the files that a claim has for a table."""
    if claim.versions is None:
        return tables.run_files(table, claim.run_id)
    return restored_files(tables, table, claim.versions, claim.days)


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
            _commit(target, claim, files)
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


def _commit(target: DeltaTable, claim: Claim, files: Sequence[ParquetFile]) -> None:
    """Replace the claim's dates by those of the run's files that are of these dates.

    Raises:
        CommitFailedError: The table has a newer version than `target`.
    """
    actions: list[AddAction | RemoveAction] = [
        add_action(file, {PARTITION: day}) for file in files if (day := _day_of(file)) in claim.days
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


def _refuse_held(held: Mapping[str, Claim], table: str, run_id: str) -> None:
    """Stop where another run holds one of the dates."""
    others = {day: claim.run_id for day, claim in held.items() if claim.run_id != run_id}
    if others:
        other = next(iter(others.values()))
        raise WindowHeldError(
            f"expected the dates of {table} to be as this run found them, found that run {other} published "
            f"{', '.join(sorted(others))} meanwhile; its numbers stand, start again if this run's should replace them"
        )


def _require_own_dates(files: Sequence[ParquetFile], commit: Commit) -> None:
    """Refuse files of a date that is not the commit's, whose rows would join another run's."""
    foreign = sorted({_day_of(file) for file in files} - set(commit.days))
    if foreign:
        raise GateError(
            f"expected rows of {min(commit.dates)} to {max(commit.dates)} only, found rows of {', '.join(foreign)}; "
            "check that Java and Python on the driver have the same time zone data"
        )


def _require_whole(files: Sequence[ParquetFile], claim: Claim, table: str) -> None:
    """Refuse to follow a run whose files are gone."""
    found = sum(file.rows for file in files)
    expected = claim.rows.get(table, found)
    if found != expected:
        raise WindowHeldError(
            f"expected {expected} rows of run {claim.run_id} for {table}, found {found}; its files are gone: take its "
            "dates back by the maintenance job's rollback to the newest release, then run "
            f"{', '.join(claim.days)} again"
        )


def _day_of(file: ParquetFile) -> str:
    """Read `event_date=2026-10-05` off a data file's path."""
    folder = next(part for part in file.path.split("/") if part.startswith(f"{PARTITION}="))
    return folder.partition("=")[2]
