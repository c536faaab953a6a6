"""Labelled sentences for training and evaluation: where they come from, and what keeps the parts apart."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emotion_udf.classifier.hub import is_hub_id, snapshot
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError
from emotion_udf.settings.training import DataSettings

PARTS: Final = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
"""The parts of a data set, and how their files' names begin."""

NEUTRAL: Final = len(EMOTIONS)
"""The label of an own sentence without a feeling; what it teaches is that all six emotions are equally probable."""

_EXTRA_SENTENCES = Path(__file__).parent / "extra_sentences.txt"

# dair-ai/emotion holds three-part Parquet files below `split/`; its `unsplit/` is another set.
_HUB_FILES = [f"{folder}{name}*.parquet" for folder in ("split/", "data/", "") for name in sum(PARTS.values(), ())]


@dataclass(frozen=True)
class LabelledTexts:
    """Sentences with their emotions.

    Args:
        texts: The sentences.
        labels: As many indices into `EMOTIONS`; among own sentences, also `NEUTRAL`.
    """

    texts: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.texts)

    def __add__(self, other: "LabelledTexts") -> "LabelledTexts":
        return LabelledTexts(self.texts + other.texts, self.labels + other.labels)

    def without(self, held_out: set[str]) -> "LabelledTexts":
        """Return the sentences that are not among `held_out`."""
        kept = [(text, label) for text, label in zip(self.texts, self.labels, strict=True) if text not in held_out]
        return LabelledTexts([text for text, _ in kept], [label for _, label in kept])


@dataclass(frozen=True)
class Overlaps:
    """Sentences that stand in a data set more than once.

    Args:
        leaked: Training rows whose text also stands in validation or test; none of them is trained on.
        leaked_with_another_label: Those of them whose label differs from the one there.
        repeated: Training rows that repeat an earlier one, label and all.
        conflicting: Training texts that have several labels.
        held_out: Texts that stand in both validation and test.
    """

    leaked: int
    leaked_with_another_label: int
    repeated: int
    conflicting: int
    held_out: int


@dataclass(frozen=True)
class Splits:
    """The three parts of a labelled data set, in which no training sentence stands in another part."""

    train: LabelledTexts
    validation: LabelledTexts
    test: LabelledTexts
    overlaps: Overlaps


def read_splits(settings: DataSettings) -> Splits:
    """Read the three parts, and keep held-out sentences out of the training part.

    Raises:
        InputError: A part is missing or malformed, or the training part has fewer than two labels.
        UsageError: The source is neither a folder nor a Hub id that can be reached.
    """
    parts = read_parts(settings)
    missing = [name for name in PARTS if name not in parts]
    if missing:
        raise InputError(f"expected the parts {', '.join(PARTS)} in {settings.source}, found no {', '.join(missing)}")
    train, validation, test = (parts[name] for name in PARTS)
    clean = train.without({*validation.texts, *test.texts})
    found = sorted(set(clean.labels))
    if len(found) < 2:
        raise InputError(
            f"expected training sentences of several emotions in {settings.source}, found "
            f"{f'only {EMOTIONS[found[0]]}' if found else 'none that is not in validation or test'}"
        )
    return Splits(clean, validation, test, _overlaps(train, validation, test))


def read_parts(settings: DataSettings) -> dict[str, LabelledTexts]:
    """Read the parts that a source has, at least one of train, validation and test.

    Raises:
        InputError: There is none, or one is malformed.
        UsageError: The source is neither a folder nor a Hub id that can be reached.
    """
    folder = _find_folder(settings)
    files = {part: _files_of(folder, names) for part, names in PARTS.items()}
    parts = {part: _read_files(found, settings) for part, found in files.items() if found}
    if not parts:
        raise InputError(f"expected .txt or .parquet files named {', '.join(PARTS)} in {settings.source}, found none")
    return parts


def _find_folder(settings: DataSettings) -> Path:
    folder = Path(settings.source)
    if folder.is_dir():
        return folder
    if not is_hub_id(settings.source):
        raise InputError(f"expected labelled sentences in the folder {folder}, found no such folder; set data.source")
    return snapshot(settings.source, settings.revision, _HUB_FILES, kind="dataset")


def _files_of(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """Return a part's files: one text file, or Parquet files, which the Hub numbers (`train-00000-of-00001`)."""
    for place in (folder, folder / "split", folder / "data"):
        for name in names:
            text = place / f"{name}.txt"
            parquet = sorted({*place.glob(f"{name}.parquet"), *place.glob(f"{name}-*.parquet")})
            if text.is_file() and parquet:
                raise InputError(f"expected one form of {name} in {place}, found {text.name} and {parquet[0].name}")
            if text.is_file() or parquet:
                return parquet or [text]
    return []


def _read_files(files: list[Path], settings: DataSettings) -> LabelledTexts:
    return reduce(add, (read_text_file(f) if f.suffix == ".txt" else read_parquet_file(f, settings) for f in files))


def extra_sentences() -> LabelledTexts:
    """Return sentences written for this project: plain ones of every emotion without "i feel", and neutral ones."""
    return read_text_file(_EXTRA_SENTENCES, (*EMOTIONS, "neutral"))


def read_text_file(file: Path, labels: Sequence[str] = EMOTIONS) -> LabelledTexts:
    """Read `text;label` lines, the original form of dair-ai/emotion; the label follows the last `;`.

    Args:
        file: A text file.
        labels: The labels it may have, in the order of their numbers.

    Raises:
        InputError: The file is empty, no UTF-8, or has a line without one of the six labels.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").rstrip("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"expected UTF-8 text in {file}, found another encoding; convert it") from error
    if not lines:
        raise InputError(f"expected labelled sentences in {file}, found an empty file")
    texts, numbers = [], []
    for number, line in enumerate(lines.split("\n"), start=1):
        text, _, label = line.rpartition(";")
        if not text.strip() or label not in labels:
            raise InputError(f"{file}, line {number}: expected text;label with a label of {', '.join(labels)}")
        texts.append(text)
        numbers.append(labels.index(label))
    return LabelledTexts(texts, numbers)


def read_parquet_file(file: Path, settings: DataSettings) -> LabelledTexts:
    """Read a text and a label column; labels are names, or numbers in the order of `EMOTIONS`.

    Raises:
        InputError: The file is empty or no Parquet, lacks a column, or holds nulls, other labels, or numbers whose
            names, as the Hub's libraries store them beside the schema, are not in that order.
    """
    try:
        schema = pq.read_schema(file)
        for column in (settings.text, settings.label):
            if column not in schema.names:
                raise InputError(
                    f"expected the column {column} in {file}, found {', '.join(schema.names)}; "
                    "name them with data.text and data.label, or --text-column and --label-column"
                )
        table = pq.read_table(file, columns=[settings.text, settings.label])
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"expected a Parquet file at {file}, found a damaged one or another kind") from error
    _refuse_another_order(file, schema, settings.label)
    if not table.num_rows:
        raise InputError(f"expected labelled sentences in {file}, found no rows")
    texts = table[settings.text]
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise InputError(f"expected strings in the column {settings.text} of {file}, found {texts.type}")
    blank = pc.sum(pc.or_kleene(pc.is_null(texts), pc.equal(pc.utf8_trim_whitespace(texts), ""))).as_py()
    if blank:
        raise InputError(f"expected a text in every row of {file}, found {blank} null or blank; remove those rows")
    return LabelledTexts(texts.to_pylist(), _label_numbers(file, table[settings.label], settings.label))


def _label_numbers(file: Path, column: pa.ChunkedArray, name: str) -> list[int]:
    known = {emotion: i for i, emotion in enumerate(EMOTIONS)} | {i: i for i in range(len(EMOTIONS))}
    values = column.to_pylist()
    unknown = [value for value in values if type(value) not in (str, int, float) or value not in known]
    if unknown:
        raise InputError(
            f"expected the labels {', '.join(EMOTIONS)}, or 0 to {len(EMOTIONS) - 1} in this order, in the column "
            f"{name} of {file}, found {len(unknown)} others such as {unknown[0]!r}"
        )
    return [known[value] for value in values]


def _refuse_another_order(file: Path, schema: pa.Schema, label: str) -> None:
    """Compare with the label names that the Hub's `datasets` library writes into a file's schema."""
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    names = described.get("info", {}).get("features", {}).get(label, {}).get("names")
    if names is not None and tuple(names) != EMOTIONS:
        raise InputError(
            f"expected the labels of {file} in the order {', '.join(EMOTIONS)}, found {', '.join(names)}; "
            "number them anew"
        )


def _overlaps(train: LabelledTexts, validation: LabelledTexts, test: LabelledTexts) -> Overlaps:
    held_out = {*zip(validation.texts, validation.labels, strict=True), *zip(test.texts, test.labels, strict=True)}
    held_out_texts = {text for text, _ in held_out}
    pairs = Counter(zip(train.texts, train.labels, strict=True))
    labels_of = Counter(text for text, _ in pairs)
    return Overlaps(
        leaked=sum(count for (text, _), count in pairs.items() if text in held_out_texts),
        leaked_with_another_label=sum(
            count for pair, count in pairs.items() if pair[0] in held_out_texts and pair not in held_out
        ),
        repeated=sum(count - 1 for count in pairs.values()),
        conflicting=sum(labels > 1 for labels in labels_of.values()),
        held_out=len({*validation.texts} & {*test.texts}),
    )
