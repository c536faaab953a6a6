"""The `releases` table: one row that names the version of every table, overwritten at each release.

Delta commits one table at a time. Readers that open each table at the version which the row names see one night whole
or not at all; the one commit to `releases` is the moment of publishing. Its history is the list of nights.
"""

from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.schemas import RELEASES, releases_schema
from emotion_udf.tables.delta import DeltaTables
from emotion_udf.tables.ownership import Claim
from emotion_udf.tables.warehouse import Release

_TIMEZONE: Final = "UTC"


def open_pointer(tables: DeltaTables) -> DeltaTable:
    """Return `releases` as it is now, made when there is none."""
    return tables.open_or_create(RELEASES, Schema.from_json(releases_schema().json()), partition=None)


def read_release(pointer: DeltaTable | None) -> Release | None:
    """Return the release that the table names, None before the first one."""
    rows = pointer.to_pyarrow_table().to_pylist(maps_as_pydicts="strict") if pointer else []
    if not rows:
        return None
    (row,) = rows
    return Release(row["release"], row["run_id"], row["released_at"], row["versions"])


def move_pointer(pointer: DeltaTable, release: Release) -> None:
    """Overwrite the one row, unless somebody else has done so since `pointer` was read.

    Raises:
        CommitFailedError: Somebody else has.
    """
    row = {
        "release": release.number,
        "run_id": release.run_id,
        "released_at": release.released_at,
        "versions": dict(release.versions),
    }
    write_deltalake(
        pointer,
        pa.Table.from_pylist([row], schema=to_arrow_schema(releases_schema(), timezone=_TIMEZONE)),
        mode="overwrite",
        commit_properties=CommitProperties(
            custom_metadata=Claim(release.run_id, []).metadata,
            max_commit_retries=0,
        ),
    )


def next_release(current: Release | None, run_id: str, versions: dict[str, int]) -> Release:
    """Return the release that follows `current`."""
    return Release(current.number + 1 if current else 1, run_id, datetime.now(UTC), versions)
