"""A Delta table that is given as a folder: the files of its newest version, as delta-rs knows them."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from emotion_udf.errors import InputError
from emotion_udf.ingest.failures import retried
from emotion_udf.storage import Folder

# What a table may use and still be the rows of its files: no deletion vectors, no column mapping.
_HARMLESS_FEATURES: Final = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}


@dataclass(frozen=True)
class LiveFiles:
    """The files of a table's newest version.

    Attributes:
        paths: Relative to the table, as its log has them.
        partitions: The columns that only the folders' names hold.
    """

    paths: frozenset[str]
    partitions: tuple[str, ...]

    @property
    def decoded_paths(self) -> frozenset[str]:
        """The same without the log's percent-encoding; which of the two is on the disk depends on the writer."""
        return frozenset(map(unquote, self.paths))


def live_paths(root: Folder) -> LiveFiles:
    """List the files of a Delta table.

    Raises:
        InputError: The table cannot be opened, or its rows are not simply those of its files.
        StorageError: The storage does not answer.
    """
    try:
        table = retried(lambda: DeltaTable(root.delta_uri, storage_options=dict(root.delta_options)))
        protocol = table.protocol()
        metadata = table.metadata()
        actions = pa.table(table.get_add_actions(flatten=True))
    except (DeltaError, OSError) as error:
        raise InputError(
            f"expected a Delta table in {root.uri} that delta-rs can open, found {type(error).__name__}; name it in "
            "Spark's catalog and set input.table in place of input.path"
        ) from error
    features = set(protocol.reader_features or []) - _HARMLESS_FEATURES
    if metadata.configuration.get("delta.columnMapping.mode", "none") != "none":
        features.add("columnMapping")
    if features:
        raise InputError(
            f"expected a Delta table in {root.uri} whose rows are those of its files, found one with "
            f"{', '.join(sorted(features))}; name it in Spark's catalog and set input.table in place of input.path"
        )
    return LiveFiles(frozenset(actions["path"].to_pylist()), tuple(metadata.partition_columns))
