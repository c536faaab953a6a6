"""Files of labelled sentences in the forms that they are published in.

Each reader returns every row's text and its labels, by name; `sources` decides what they mean.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError
from emotion_udf.settings.labelled import SourceSettings


@dataclass(frozen=True)
class Rows:
    """The rows of a file.

    Attributes:
        texts: One sentence a row.
        labels: The names of each row's labels.
    """

    texts: list[str]
    labels: list[list[str]]


def read_rows(file: Path, source: SourceSettings) -> Rows:
    """Read a file in the format of its source.

    Raises:
        InputError: The file is missing or malformed.
    """
    form = source.format
    if form == "auto":
        form = {".tsv": "tab", ".parquet": "parquet"}.get(file.suffix, "semicolon")  # type: ignore[assignment]
    if not file.is_file():
        raise InputError(f"expected labelled sentences at {file}, found no such file; see the splits of {source.name}")
    if form == "parquet":
        return read_parquet(file, source)
    if form == "semicolon":
        return read_semicolon(file)
    names = source.label_names or _names_beside(file)
    return read_tab(file, names) if form == "tab" else read_two_files(file, names)


def read_semicolon(file: Path) -> Rows:
    """Read `text;label` lines, the original form of dair-ai/emotion; the label follows the last `;`.

    Raises:
        InputError: The file is empty, no UTF-8, or has a line without a text or a label.
    """
    rows = Rows([], [])
    for number, line in enumerate(_lines(file), start=1):
        text, _, label = line.rpartition(";")
        if not text.strip() or not label:
            raise InputError(f"{file}, line {number}: expected text;label, found no {'label' if text else 'text'}")
        rows.texts.append(text)
        rows.labels.append([label])
    return rows


def read_tab(file: Path, names: Sequence[str]) -> Rows:
    """Read lines of a text, a tab, and labels joined by commas, as GoEmotions has them; further columns are ignored.

    Args:
        file: The file.
        names: The names of label numbers, in order; without any, labels are names already.

    Raises:
        InputError: The file is empty, no UTF-8, or a line has no text, no label, or an unknown number.
    """
    rows = Rows([], [])
    for number, line in enumerate(_lines(file), start=1):
        text, *columns = line.split("\t")
        found = _named(columns[0].split(","), names) if columns else None
        if not text.strip() or not found:
            raise InputError(f"{file}, line {number}: expected a text, a tab and labels, found something else")
        rows.texts.append(text)
        rows.labels.append(found)
    return rows


def read_two_files(file: Path, names: Sequence[str]) -> Rows:
    """Read `X_text.txt`, a text a line, and `X_labels.txt`, its label number a line, as TweetEval has them.

    Raises:
        InputError: One of the files is missing, empty or no UTF-8, they differ in length, or a number is unknown.
    """
    beside = file.with_name(file.name.replace("_text", "_labels"))
    if beside == file or not beside.is_file():
        raise InputError(f"expected labels beside {file} in a file X_labels.txt, found none")
    texts = _lines(file)
    labels = [_named([line.strip()], names) for line in _lines(beside)]
    found = [label for label in labels if label]
    if not len(texts) == len(labels) == len(found):
        raise InputError(f"expected one known label a text in {beside}, found {len(found)} for {len(texts)} texts")
    return Rows(texts, found)


def read_parquet(file: Path, source: SourceSettings) -> Rows:
    """Read a text and a label column; label numbers stand for `EMOTIONS` in their order, or for `label_names`.

    Raises:
        InputError: The file is empty or no Parquet, lacks a column, or holds null or blank texts, other labels, or
            numbers whose names, as the Hub's libraries store them beside the schema, are in another order.
    """
    try:
        schema = pq.read_schema(file)
        columns = [source.text] if source.unlabelled else [source.text, source.label]
        for column in columns:
            if column not in schema.names:
                raise InputError(
                    f"expected the column {column} in {file}, found {', '.join(schema.names)}; "
                    "name them with data.text and data.label, or --text-column and --label-column"
                )
        table = pq.read_table(file, columns=columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"expected a Parquet file at {file}, found a damaged one or another format") from error
    names = tuple(source.label_names) or EMOTIONS
    _refuse_another_order(file, schema, source.label, names)
    if not table.num_rows:
        raise InputError(f"expected labelled sentences in {file}, found no rows")
    if source.unlabelled:
        return Rows(_checked_texts(table[source.text], file, source.text), [[] for _ in range(table.num_rows)])
    return Rows(_checked_texts(table[source.text], file, source.text), _label_names(file, table, source.label, names))


def _checked_texts(texts: pa.ChunkedArray, file: Path, column: str) -> list[str]:
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise InputError(f"expected strings in the column {column} of {file}, found {texts.type}")
    blank = pc.sum(pc.or_kleene(pc.is_null(texts), pc.equal(pc.utf8_trim_whitespace(texts), ""))).as_py()
    if blank:
        raise InputError(f"expected a text in every row of {file}, found {blank} null or blank; remove those rows")
    checked: list[str] = texts.to_pylist()
    return checked


def _label_names(file: Path, table: pa.Table, column: str, names: Sequence[str]) -> list[list[str]]:
    known: dict[object, str] = dict(enumerate(names))
    values = table[column].to_pylist()
    unknown = [v for v in values if type(v) is not str and (type(v) not in (int, float) or v not in known)]
    if unknown:
        raise InputError(
            f"expected label names, or 0 to {len(names) - 1} for {', '.join(names)}, in the column {column} of {file}, "
            f"found {len(unknown)} others such as {unknown[0]!r}"
        )
    return [[value if type(value) is str else known[value]] for value in values]


def _refuse_another_order(file: Path, schema: pa.Schema, label: str, expected: Sequence[str]) -> None:
    """Compare with the label names that the Hub's `datasets` library writes into a file's schema."""
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    names = described.get("info", {}).get("features", {}).get(label, {}).get("names")
    if names is not None and tuple(names) != tuple(expected):
        raise InputError(
            f"expected the labels of {file} in the order {', '.join(expected)}, found {', '.join(names)}; "
            "number them anew"
        )


def _lines(file: Path) -> list[str]:
    """Return the lines of a text file; only a newline ends a line, and the last one needs none."""
    try:
        content = file.read_text(encoding="utf-8-sig").rstrip("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"expected UTF-8 text in {file}, found another encoding; convert it") from error
    if not content:
        raise InputError(f"expected labelled sentences in {file}, found an empty file")
    return content.split("\n")


def _named(labels: Sequence[str], names: Sequence[str]) -> list[str] | None:
    """Return the names of label numbers; None where one is unknown or empty."""
    if not all(labels):
        return None
    if not names:
        return list(labels)
    known = [label.isdecimal() and int(label) < len(names) for label in labels]
    return [names[int(label)] for label in labels] if all(known) else None


def _names_beside(file: Path) -> list[str]:
    """Read label names from `labels.txt`, a name a line, or `mapping.txt`, `number<TAB>name` lines; else none."""
    for name in ("labels.txt", "mapping.txt"):
        beside = file.with_name(name)
        if beside.is_file():
            return [line.rpartition("\t")[2].strip() for line in _lines(beside)]
    return []
