"""The `text_scores` table: what each model said of each text, so that no later night has to ask it again.

It holds hashes and probabilities, no texts. Its partitions are models: a night reads those of its own, and the scores
of a model that is no longer used can be deleted in one go.
"""

from contextlib import suppress
from typing import Final

import pyarrow as pa
from deltalake import CommitProperties, Schema
from deltalake.exceptions import DeltaError

from emotion_udf.errors import UsageError
from emotion_udf.schemas import TEXT_SCORES, text_scores_schema
from emotion_udf.tables.delta import COMMIT_ONLY, DATA, DeltaTables, add_action, missing_fields
from emotion_udf.tables.durability import sync_files, sync_folder
from emotion_udf.tables.files import list_files

MODEL: Final = "model_fingerprint"
# An append conflicts with no other append, so each retry succeeds but for another commit in the same moment.
_RETRIES: Final = 20


def list_scores(tables: DeltaTables, fingerprint: str) -> list[str]:
    """Return the files, by the names that Spark has for them, that hold the scores of a model."""
    table = tables.open(TEXT_SCORES)
    if table is None:
        return []
    folder = tables.folder(TEXT_SCORES)
    files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return [(folder / file["path"]).uri for file in files if file[f"partition.{MODEL}"] == fingerprint]


def list_models(tables: DeltaTables) -> dict[str, tuple[int, int]]:
    """Return the files and the rows that there are of each model, by its fingerprint."""
    table = tables.open(TEXT_SCORES)
    models: dict[str, tuple[int, int]] = {}
    for listed in list_files(table) if table else []:
        model = listed.partition[MODEL] or ""
        files, rows = models.get(model, (0, 0))
        models[model] = (files + 1, rows + listed.file.rows)
    return models


def drop_scores(tables: DeltaTables, fingerprint: str) -> None:
    """Take the scores of a model out of the table; vacuum deletes their files later.

    Raises:
        UsageError: There are none of this model.
    """
    models = list_models(tables)
    if fingerprint not in models:
        known = ", ".join(sorted(models)) or "none"
        raise UsageError(f"expected the fingerprint of a model that {TEXT_SCORES} has ({known}), found {fingerprint!r}")
    table = tables.at(TEXT_SCORES)
    table.create_write_transaction(
        [],
        mode="overwrite",
        schema=table.schema(),
        partition_by=[MODEL],
        partition_filters=[(MODEL, "=", fingerprint)],
        commit_properties=CommitProperties(max_commit_retries=_RETRIES),
        post_commithook_properties=COMMIT_ONLY,
    )


def append_scores(tables: DeltaTables, run_id: str, fingerprint: str) -> None:
    """Add the files that a run has written into its data folder of the table.

    Raises:
        UsageError: The table has a column of another type.
        CommitFailedError: Other writers' commits came first each time.
    """
    schema = Schema.from_json(text_scores_schema().json())
    tables.check_types(TEXT_SCORES, schema)
    files = tables.run_files(TEXT_SCORES, run_id)
    table = tables.open_or_create(TEXT_SCORES, schema, MODEL)
    missing = missing_fields(table, schema)
    if missing:
        table.alter.add_columns(missing)
    table.create_write_transaction(
        [add_action(file, {MODEL: fingerprint}) for file in files],
        mode="append",
        schema=table.schema(),
        partition_by=[MODEL],
        commit_properties=CommitProperties(max_commit_retries=_RETRIES),
        post_commithook_properties=COMMIT_ONLY,
    )
    # A log with a hole, after a power cut, could not be read any more.
    sync_folder(tables.data_folder(TEXT_SCORES, run_id))
    sync_files(tables.folder(TEXT_SCORES), [])


def discard_scores(tables: DeltaTables, run_id: str) -> None:
    """Delete what a run has written into its data folder of the table, unless the table lists it."""
    with suppress(OSError, DeltaError):  # scores hold no texts, and a table of them that is broken decides nothing
        table = tables.open(TEXT_SCORES)
        listed = pa.table(table.get_add_actions(flatten=True))["path"].to_pylist() if table else []
        if not any(path.startswith(f"{DATA}/{run_id}/") for path in listed):
            tables.data_folder(TEXT_SCORES, run_id).remove()
