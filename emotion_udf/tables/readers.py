"""The tables as readers see them: those of the newest release at its versions, the others as they are now."""

from collections.abc import Sequence
from dataclasses import dataclass

from deltalake import DeltaTable

from emotion_udf.errors import InputError, UsageError
from emotion_udf.storage import Folder
from emotion_udf.tables.delta_warehouse import UNRELEASED, DeltaWarehouse
from emotion_udf.tables.files import open_version
from emotion_udf.tables.warehouse import Release


@dataclass(frozen=True)
class ReadersView:
    """A warehouse as its readers see it.

    Attributes:
        release: The newest release.
        released: Its tables, each at the version that it names.
        others: The tables of no release that there are, at their newest versions.
    """

    release: Release
    released: Sequence[DeltaTable]
    others: Sequence[DeltaTable]

    @property
    def tables(self) -> dict[str, DeltaTable]:
        """All tables by their names."""
        return {name_of(table): table for table in (*self.released, *self.others)}


def open_for_readers(root: Folder) -> ReadersView:
    """Open the tables below a root.

    Raises:
        UsageError: There are none, or nothing was released yet.
        InputError: The log of a table no longer reaches back to its release.
    """
    warehouse = DeltaWarehouse(root)
    release = warehouse.release()
    if release is None:
        raise UsageError(
            f"expected the tables of a release below {root.uri}, found none; check the folder, or run a night first"
        )
    released = [_at(warehouse, release, name) for name in release.versions]
    others = [table for name in UNRELEASED if (table := warehouse.open(name)) is not None]
    return ReadersView(release, released, others)


def name_of(table: DeltaTable) -> str:
    """Return a table's name, that of its folder."""
    return table.table_uri.rstrip("/").rpartition("/")[2]


def _at(warehouse: DeltaWarehouse, release: Release, name: str) -> DeltaTable:
    table = open_version(warehouse, name, release.versions[name])
    if table is None:
        raise InputError(
            f"expected version {release.versions[name]} of {name}, which release {release.number} names, found that "
            "its log no longer has it; run a night, which makes a new release"
        )
    return table
