"""The tables `audit_samples` and `audits`: what was drawn for people to read, and what they found.

Neither belongs to a release. All rows of a sample change in one commit, so that recording it again replaces it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
from deltalake import Schema, write_deltalake
from deltalake.exceptions import CommitFailedError
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from emotion_udf.errors import UsageError, WindowHeldError
from emotion_udf.schemas import AUDIT_SAMPLES, AUDITS, audit_samples_schema, audits_schema
from emotion_udf.tables.delta import COMMIT_ONLY, DeltaTables
from emotion_udf.tables.durability import sync_folder

_SAMPLE: Final = "sample_id"


def write_sample(tables: DeltaTables, sample_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows of a sample into `audit_samples`."""
    _replace(tables, AUDIT_SAMPLES, audit_samples_schema(), sample_id, rows)


def write_audits(tables: DeltaTables, sample_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what people found in a sample into `audits`, in place of what it has of it."""
    _replace(tables, AUDITS, audits_schema(), sample_id, rows)


def read_sample(tables: DeltaTables, sample_id: str) -> list[dict[str, Any]]:
    """Return the rows of a sample.

    Raises:
        UsageError: There is no such sample.
    """
    table = tables.open(AUDIT_SAMPLES)
    rows = table.to_pyarrow_table(filters=[(_SAMPLE, "=", sample_id)]).to_pylist() if table else []
    if not rows:
        raise UsageError(
            f"expected a sample of this warehouse, found {sample_id}, which {AUDIT_SAMPLES} does not have; give the "
            "sheet that draw has written, and the settings that it was drawn with"
        )
    return rows


def _replace(
    tables: DeltaTables, name: str, schema: StructType, sample_id: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Put a sample's rows in place of those that the table has of it.

    Raises:
        WindowHeldError: Other writers came first each time.
    """
    delta_schema = Schema.from_json(schema.json())
    tables.check_types(name, delta_schema)
    arrow = to_arrow_schema(schema, timezone="UTC")
    target = tables.open_or_create(name, delta_schema, partition=None)
    try:
        write_deltalake(
            target,
            pa.Table.from_pylist([dict(row) for row in rows], schema=arrow),
            mode="overwrite",
            predicate=f"{_SAMPLE} = '{sample_id}'",
            post_commithook_properties=COMMIT_ONLY,
        )
    except CommitFailedError as error:
        raise WindowHeldError(
            f"expected to commit {name}, found another writer's commit before each attempt; run again"
        ) from error
    sync_folder(tables.folder(name))  # nobody wants to read three hundred messages again
