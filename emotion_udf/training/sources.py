"""A source of labelled sentences -> its splits, with labels that mean the six emotions, neutral, or a set of them."""

from collections.abc import Sequence
from functools import reduce
from operator import add, and_, or_
from pathlib import Path

from emotion_udf.classifier.hub import is_hub_id, snapshot
from emotion_udf.errors import InputError
from emotion_udf.settings.labelled import CLASSES, SPLITS, SourceSettings, Split, SplitSettings
from emotion_udf.training.formats import Rows, read_rows
from emotion_udf.training.labels import UNLABELLED, LabelledTexts, label_number

_FILE_NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "val"),
    "test": ("test",),
}

# dair-ai/emotion holds three-part Parquet files below `split/`; its `unsplit/` is another set.
_HUB_FILES = [
    f"{folder}{name}*.parquet" for folder in ("split/", "data/", "") for names in _FILE_NAMES.values() for name in names
]


def read_source(
    source: SourceSettings, root: str = ".", wanted: Sequence[Split] = SPLITS
) -> dict[Split, LabelledTexts]:
    """Read the splits that a source has, at least one of train, validation and test.

    Args:
        source: The source.
        root: The folder that its path starts from.
        wanted: The splits to read of those that there are.

    Raises:
        InputError: There is none, or one is malformed.
        UsageError: The source is neither a folder nor a Hub id that can be reached.
    """
    folder = find_folder(source, root)
    if source.splits:
        return {s: _read_split(folder, chosen, source) for s, chosen in source.splits.items() if s in wanted}
    files = {split: _files_of(folder, split) for split in SPLITS}
    found = {split: _read_files(paths, source) for split, paths in files.items() if paths and split in wanted}
    if not any(files.values()):
        raise InputError(f"expected .txt or .parquet files named {', '.join(SPLITS)} in {source.path}, found none")
    return found


def find_folder(source: SourceSettings, root: str = ".") -> Path:
    """Return the source's folder, downloaded if it is named by a Hub id.

    Raises:
        InputError: There is no such folder.
        UsageError: The Hub cannot be reached.
    """
    folder = Path(root, source.path)
    if folder.is_dir():
        return folder
    if is_missing(source, root):
        raise InputError(f"expected labelled sentences in the folder {folder}, found no such folder; set data.source")
    return snapshot(source.path, source.revision, _HUB_FILES, repo_type="dataset")


def _files_of(folder: Path, split: Split) -> list[Path]:
    """Return a split's files: one text file, or Parquet files, which the Hub numbers (`train-00000-of-00001`)."""
    for place in (folder, folder / "split", folder / "data"):
        for name in _FILE_NAMES[split]:
            text = place / f"{name}.txt"
            parquet = sorted({*place.glob(f"{name}.parquet"), *place.glob(f"{name}-*.parquet")})
            if text.is_file() and parquet:
                raise InputError(f"expected one form of {name} in {place}, found {text.name} and {parquet[0].name}")
            if text.is_file() or parquet:
                return parquet or [text]
    return []


def _read_files(files: Sequence[Path], source: SourceSettings) -> LabelledTexts:
    return reduce(add, (translate(read_rows(file, source), source, file) for file in files))


def _read_split(folder: Path, chosen: SplitSettings, source: SourceSettings) -> LabelledTexts:
    """Read a file and keep the rows that belong to the split, whose numbers begin with 1."""
    file = folder / chosen.file
    rows = read_rows(file, source)
    first = {"all": 0, "odd": 0, "even": 1}[chosen.rows]
    step = 1 if chosen.rows == "all" else 2
    return translate(Rows(rows.texts[first::step], rows.labels[first::step]), source, file)


def translate(rows: Rows, source: SourceSettings, file: Path) -> LabelledTexts:
    """Give each row the label that its own labels mean, and leave out rows whose labels mean none.

    Raises:
        InputError: The source has no mapping, and a label is no emotion and not neutral.
    """
    if source.unlabelled:
        return LabelledTexts(rows.texts, [UNLABELLED] * len(rows.texts))
    meanings = _meanings(source)
    if not source.labels:
        _refuse_unknown(rows, meanings, file)
    kept = LabelledTexts([], [])
    for text, labels in zip(rows.texts, rows.labels, strict=True):
        classes = _agreed(labels, meanings, source)
        if classes and text.strip():
            kept.texts.append(text)
            kept.labels.append(label_number(classes))
    return kept


def _meanings(source: SourceSettings) -> dict[str, frozenset[int]]:
    """Return the classes of each label, as indices into `CLASSES`."""
    given = source.labels or {name: name for name in CLASSES}
    return {
        label: frozenset(CLASSES.index(name) for name in ([meaning] if isinstance(meaning, str) else meaning))
        for label, meaning in given.items()
    }


def _agreed(
    labels: Sequence[str], meanings: dict[str, frozenset[int]], source: SourceSettings
) -> frozenset[int] | None:
    """Return the classes that fit a sentence with these labels; None or empty where it is to be left out."""
    known = [meanings[label] for label in labels if label in meanings]
    agreed = reduce(and_, known) if known and len(known) == len(labels) else frozenset()
    return agreed or (reduce(or_, known, frozenset()) if source.several == "agree_else_any" else None)


def _refuse_unknown(rows: Rows, meanings: dict[str, frozenset[int]], file: Path) -> None:
    for number, labels in enumerate(rows.labels, start=1):
        if not set(labels) <= meanings.keys():
            raise InputError(
                f"{file}, row {number}: expected a label of {', '.join(CLASSES)}; say in the source's labels what "
                "other labels mean"
            )


def is_missing(source: SourceSettings, root: str) -> bool:
    """Tell whether a source is neither a folder nor, where its files have the usual names, a Hub id."""
    return not Path(root, source.path).is_dir() and (bool(source.splits) or not is_hub_id(source.path))
