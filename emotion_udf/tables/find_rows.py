"""Finding messages in every file of the warehouse: those of all versions, and those that no version lists."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from emotion_udf.storage import Folder, in_threads
from emotion_udf.tables.delta import DeltaTables
from emotion_udf.tables.files import files_by_path, stored_files

_ID: Final = "feedback_id"
_TEXT_KEY: Final = "text_key"


@dataclass(frozen=True)
class Holding:
    """The files of a table that hold rows to erase.

    Attributes:
        table: The table.
        column: The column that tells the rows.
        values: The values of the rows to erase.
        rows: The rows to erase in each file, by its path relative to the table.
        unreadable: Files that are no Parquet; a killed run has left them half written.
    """

    table: str
    column: str
    values: Collection[str]
    rows: Mapping[str, int]
    unreadable: Sequence[str] = ()

    @property
    def paths(self) -> list[str]:
        """The files that have to go."""
        return [*self.rows, *self.unreadable]


def find_messages(
    tables: DeltaTables, ids: Collection[str], text_key: Callable[[str], str], text_column: str
) -> list[Holding]:
    """Find some messages in every table that has a column of ids, and the scores of their texts where a table tells.

    Args:
        tables: The warehouse.
        ids: The messages' ids.
        text_key: Returns the key under which a text's scores are kept.
        text_column: The name that the input has for a message's text, as in the rows of `quarantine`.
    """
    with_ids = [find_rows(tables, table, _ID, ids) for table in _tables_with(tables, _ID)]
    keys = {
        text_key(text) for holding in with_ids for text in _texts(tables.folder(holding.table), holding, text_column)
    }
    with_keys = [find_rows(tables, table, _TEXT_KEY, keys) for table in _tables_with(tables, _TEXT_KEY)] if keys else []
    return [holding for holding in (*with_ids, *with_keys) if holding.paths]


def find_rows(tables: DeltaTables, table: str, column: str, values: Collection[str]) -> Holding:
    """Read a column of every file in a table's folder, and return the files that have one of the values."""
    folder = tables.folder(table)
    paths = [path for path in stored_files(folder) if path.endswith(".parquet")]
    counts = dict(zip(paths, in_threads(lambda path: _count_rows(folder, path, column, values), paths), strict=True))
    rows = {path: count for path, count in counts.items() if count}
    return Holding(table, column, values, rows, [path for path, count in counts.items() if count is None])


def rows_now(tables: DeltaTables, holding: Holding) -> int:
    """Return how many of the rows to erase are in the newest version of their table."""
    target = tables.open(holding.table)
    listed = files_by_path(target) if target else {}
    return sum(count for path, count in holding.rows.items() if path in listed)


def _tables_with(tables: DeltaTables, column: str) -> list[str]:
    """Return the tables below the root that have a column."""
    names = [entry.base_name for entry in tables.root.children() if entry.type == pafs.FileType.Directory]
    opened = {name: table for name in names if (table := tables.open(name))}
    return [name for name, table in opened.items() if column in {field.name for field in table.schema().fields}]


def _count_rows(folder: Folder, path: str, column: str, values: Collection[str]) -> int | None:
    """Count the rows of a file that have one of the values; None for a file that is no Parquet."""
    try:
        return sum(int(pc.sum(mask).as_py() or 0) for _, mask in matches(folder, path, [column], column, values))
    except FileNotFoundError:
        return 0  # deleted meanwhile
    except pa.ArrowInvalid:
        return None


def matches(
    folder: Folder, path: str, columns: Sequence[str], column: str, values: Collection[str]
) -> Iterable[tuple[pa.RecordBatch, pa.Array]]:
    """Yield the batches of a file, those of `columns` that it has, each with a mask of the rows to erase."""
    with folder.system.open_input_file(f"{folder.path}/{path}") as stream:
        file = pq.ParquetFile(stream)
        names = file.schema_arrow.names
        if column not in names:
            return
        wanted = pa.array(sorted(values), file.schema_arrow.field(column).type)
        for batch in file.iter_batches(columns=[name for name in columns if name in names]):
            yield batch, pc.is_in(batch.column(column), value_set=wanted)


def _texts(folder: Folder, holding: Holding, text_column: str) -> set[str]:
    """Return the texts of the messages, from a column of texts or from the rows that `quarantine` keeps."""
    texts: set[str | None] = set()
    columns = [holding.column, "text", "raw"]
    for path in holding.rows:
        for batch, mask in matches(folder, path, columns, holding.column, holding.values):
            for row in batch.filter(mask).to_pylist():
                texts |= {row.get("text"), _text_of_raw(row.get("raw"), text_column)}
    return {text for text in texts if text is not None}


def _text_of_raw(raw: str | None, text_column: str) -> str | None:
    """Return the text of a row that `quarantine` keeps as JSON, None where it was left out or cut."""
    try:
        row: dict[str, Any] = json.loads(raw or "{}")
    except ValueError:
        return None
    text = row.get(text_column)
    return text if isinstance(text, str) else None
