"""The tables as readers see them: those of the newest release at its versions, the others as they are now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deltalake import DeltaTable

from emotion_udf.errors import InputError, UsageError
from emotion_udf.schemas import DAILY, RELEASES
from emotion_udf.storage import Folder
from emotion_udf.tables.delta_warehouse import UNRELEASED, DeltaWarehouse
from emotion_udf.tables.files import list_files, missing_paths, open_version
from emotion_udf.tables.releases import read_release
from emotion_udf.tables.warehouse import Release


@dataclass(frozen=True)
class ReadersView:
    """A warehouse as its readers see it.

    Attributes:
        root: The warehouse's root.
        release: The newest release.
        released: Its tables, each at the version that it names.
        others: The tables of no release that there are, at their newest versions.
    """

    root: Folder
    release: Release
    released: Sequence[DeltaTable]
    others: Sequence[DeltaTable]

    @property
    def tables(self) -> dict[str, DeltaTable]:
        """All tables by their names."""
        return {name_of(table): table for table in (*self.released, *self.others)}

    def require_files(self, names: Iterable[str]) -> None:
        """Check that the files of some tables are still there: a query would fail halfway, with a message about a path.

        Raises:
            InputError: Some are gone.
        """
        for name in names:
            gone = _gone(self.root / name, self.tables[name])
            if gone:
                raise InputError(
                    f"expected all files of {name} in release {self.release.number}, found {gone:,} gone, as after a "
                    "vacuum by another tool; emotion-maintain show-releases tells which releases are whole, rollback "
                    "goes back to one"
                )


def open_for_readers(root: Folder) -> ReadersView:
    """Open the tables below a root.

    Raises:
        UsageError: There are none, or nothing was released yet.
        InputError: The log of a table no longer reaches back to its release, or the release's own file is gone.
    """
    warehouse = DeltaWarehouse(root)
    pointer = warehouse.open(RELEASES)
    if pointer is not None and _gone(root / RELEASES, pointer):
        raise InputError(f"expected the row of {RELEASES}, found its file gone; run a night, which makes a new release")
    release = read_release(pointer)
    if release is None:
        raise _without_release(warehouse)
    released = [_at(warehouse, release, name) for name in release.versions]
    others = [table for name in UNRELEASED if (table := warehouse.open(name)) is not None]
    return ReadersView(root, release, released, others)


def name_of(table: DeltaTable) -> str:
    """Return a table's name, that of its folder."""
    return table.table_uri.rstrip("/").rpartition("/")[2]


def _at(warehouse: DeltaWarehouse, release: Release, name: str) -> DeltaTable:
    table = open_version(warehouse, name, release.versions[name])
    if table is None:
        raise InputError(
            f"expected version {release.versions[name]} of {name}, which release {release.number} names, found that "
            "its log no longer reaches back to it; run a night, which makes a new release"
        )
    return table


def _gone(folder: Folder, table: DeltaTable) -> int:
    """Count the files of a table that are no longer there."""
    return len(missing_paths(folder, [listed.file.path for listed in list_files(table)]))


def no_tables(root: Folder) -> UsageError:
    """Say that there is no warehouse below a root."""
    return UsageError(
        f"expected the tables of the nightly job below {root.delta_uri}, found none; check the folder, or run a night "
        "first"
    )


def _without_release(warehouse: DeltaWarehouse) -> UsageError:
    root = warehouse.root.delta_uri
    if warehouse.open(DAILY) is None:
        return no_tables(warehouse.root)
    return UsageError(
        f"expected a release in {root}/{RELEASES}, found none: these tables are of an earlier version, or their first "
        "night was stopped; the next night makes one"
    )
