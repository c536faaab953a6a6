"""Labelled sentences in the forms that people have them in, and what keeps the three parts apart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from huggingface_hub.utils import filter_repo_objects
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError, UsageError
from emotion_udf.probes import neutral_sentences
from emotion_udf.settings.training import DataSettings
from emotion_udf.training.data import (
    NEUTRAL,
    LabelledTexts,
    Overlaps,
    Splits,
    extra_sentences,
    read_parquet_file,
    read_parts,
    read_splits,
    read_text_file,
)
from emotion_udf.training.probes import canary
from tests.helpers.training import write_lines

ORDER = "sadness, joy, love, anger, fear, surprise"
ANY = DataSettings(source="not looked at")

Lines = Callable[[str], Path]
Table = Callable[..., Path]


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    def write(content: str) -> Path:
        file = tmp_path / "labelled.txt"
        file.write_text(content, encoding="utf-8", newline="")
        return file

    return write


def write_parquet(file: Path, texts: Any, labels: Any, metadata: dict[str, Any] | None = None, **names: str) -> None:
    columns = {names.get("text", "text"): texts, names.get("label", "label"): labels}
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    def write(texts: Any, labels: Any, metadata: dict[str, Any] | None = None, **names: str) -> Path:
        write_parquet(tmp_path / "labelled.parquet", texts, labels, metadata, **names)
        return tmp_path / "labelled.parquet"

    return write


def refusal_of_text(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_text_file(file)
    return str(caught.value)


def refusal_of_parquet(file: Path, options: DataSettings = ANY) -> str:
    with pytest.raises(InputError) as caught:
        read_parquet_file(file, options)
    return str(caught.value)


def splits_of(source: Path | str) -> Splits:
    return read_splits(DataSettings(source=str(source)))


def refusal_of_splits(source: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        splits_of(source)
    return str(caught.value)


# Text files


def test_the_label_follows_the_last_semicolon(lines: Lines) -> None:
    labelled = read_text_file(lines("i feel fine;joy\nyes; no; maybe;fear\n"))
    assert labelled == LabelledTexts(["i feel fine", "yes; no; maybe"], [1, 4])
    assert len(labelled) == 2


@pytest.mark.parametrize("line", ["i feel fine;happy", "i feel fine", "i feel fine;", "i feel fine;Joy", "", "a;joy "])
def test_a_line_without_one_of_the_labels_is_named(lines: Lines, line: str) -> None:
    file = lines(f"good;joy\n{line}\ngood;joy\n")
    assert refusal_of_text(file) == f"{file}, line 2: expected text;label with a label of {ORDER}"


@pytest.mark.parametrize("line", ["joy", ";joy", "  ;joy", "\t;joy"])
def test_a_line_without_a_text_is_refused(lines: Lines, line: str) -> None:
    file = lines(f"{line}\n")
    assert refusal_of_text(file) == f"{file}, line 1: expected text;label with a label of {ORDER}"


@pytest.mark.parametrize("content", ["", "\n", "\n\n\n"])
def test_an_empty_file_is_refused(lines: Lines, content: str) -> None:
    file = lines(content)
    assert refusal_of_text(file) == f"expected labelled sentences in {file}, found an empty file"


@pytest.mark.parametrize("content", ["très content;joy\n".encode("latin-1"), "i feel fine;joy\n".encode("utf-16")])
def test_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "labelled.txt"
    file.write_bytes(content)
    assert refusal_of_text(file) == f"expected UTF-8 text in {file}, found another encoding; convert it"


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\x1c"])
def test_only_a_newline_ends_a_line(lines: Lines, mark: str) -> None:
    assert read_text_file(lines(f"a{mark}b;joy\n")).texts == [f"a{mark}b"]


def test_lines_may_end_as_on_windows(lines: Lines) -> None:
    assert read_text_file(lines("a;joy\r\nb;fear\r\n")) == LabelledTexts(["a", "b"], [1, 4])


def test_the_last_line_needs_no_newline(lines: Lines) -> None:
    assert read_text_file(lines("a;joy\nb;fear")) == LabelledTexts(["a", "b"], [1, 4])


TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1).filter(str.strip)
LABEL = st.integers(0, 5)
ROWS = st.lists(st.tuples(TEXT, LABEL), min_size=1, max_size=20)


def labelled_of(rows: list[tuple[str, int]]) -> LabelledTexts:
    return LabelledTexts([text for text, _ in rows], [label for _, label in rows])


@given(ROWS)
def test_any_sentences_come_back_from_both_forms(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]]
) -> None:
    labelled, folder = labelled_of(rows), tmp_path_factory.mktemp("forms")
    write_lines(folder / "train.txt", labelled)
    write_parquet(folder / "train.parquet", labelled.texts, labelled.labels)
    assert read_text_file(folder / "train.txt") == labelled
    assert read_parquet_file(folder / "train.parquet", ANY) == labelled


def test_other_labels_may_be_asked_for(lines: Lines) -> None:
    file = lines("a;yes\nb;no\n")
    assert read_text_file(file, ("no", "yes")) == LabelledTexts(["a", "b"], [1, 0])
    with pytest.raises(InputError) as caught:
        read_text_file(file, ("yes", "maybe"))
    assert str(caught.value) == f"{file}, line 2: expected text;label with a label of yes, maybe"


# Own sentences


def test_own_sentences_are_of_every_emotion_and_of_none() -> None:
    own = extra_sentences()
    assert set(own.labels) == {*range(6), NEUTRAL}
    assert len(set(own.texts)) == len(own)
    assert all(own.labels.count(label) >= 20 for label in range(7))


def test_own_sentences_are_measured_nowhere(data: Path) -> None:
    measured = {*canary().texts, *neutral_sentences()}
    for part in ("val", "test"):
        measured |= {*read_text_file(data / "emotion" / f"{part}.txt").texts}
    assert not {text.lower() for text in extra_sentences().texts} & {text.lower() for text in measured}


def test_sentences_are_put_behind_each_other() -> None:
    both = LabelledTexts(["a"], [1]) + LabelledTexts(["b", "c"], [2, 6])
    assert both == LabelledTexts(["a", "b", "c"], [1, 2, 6])


# Parquet files


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint16()])
def test_labels_may_be_numbers(table: Table, kind: pa.DataType) -> None:
    file = table(["a", "b", "c"], pa.array([5, 0, 1], kind))
    assert read_parquet_file(file, ANY) == LabelledTexts(["a", "b", "c"], [5, 0, 1])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_labels_may_be_names(table: Table, kind: pa.DataType) -> None:
    file = table(["a", "b", "c"], pa.array(["surprise", "sadness", "joy"]).cast(kind))
    assert read_parquet_file(file, ANY) == LabelledTexts(["a", "b", "c"], [5, 0, 1])


def test_texts_may_be_large_strings(table: Table) -> None:
    assert read_parquet_file(table(pa.array(["a"], pa.large_string()), [1]), ANY) == LabelledTexts(["a"], [1])


def test_columns_may_have_other_names(table: Table) -> None:
    file = table(["a"], [1], text="sentence", label="emotion")
    options = DataSettings(source="x", text="sentence", label="emotion")
    assert read_parquet_file(file, options) == LabelledTexts(["a"], [1])


@pytest.mark.parametrize(
    ("options", "column"), [({"text": "body"}, "body"), ({"label": "emotion"}, "emotion"), ({"text": "Text"}, "Text")]
)
def test_a_missing_column_is_named(table: Table, options: dict[str, str], column: str) -> None:
    file = table(["a"], [1])
    assert refusal_of_parquet(file, DataSettings(source="x", **options)) == (
        f"expected the column {column} in {file}, found text, label; "
        "name them with data.text and data.label, or --text-column and --label-column"
    )


@pytest.mark.parametrize("content", [b"", b"PAR1", b"i feel fine;joy\n", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "labelled.parquet"
    file.write_bytes(content)
    assert refusal_of_parquet(file) == f"expected a Parquet file at {file}, found a damaged one or another kind"


def test_a_truncated_parquet_file_is_refused(table: Table) -> None:
    file = table(["a"] * 100, [1] * 100)
    file.write_bytes(file.read_bytes()[:-10])
    assert refusal_of_parquet(file) == f"expected a Parquet file at {file}, found a damaged one or another kind"


def test_a_table_without_rows_is_refused(table: Table) -> None:
    file = table(pa.array([], pa.string()), pa.array([], pa.int64()))
    assert refusal_of_parquet(file) == f"expected labelled sentences in {file}, found no rows"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [([1], "int64"), ([b"a"], "binary"), ([["a"]], "list<element: string>"), ([None], "null")],
)
def test_texts_must_be_strings(table: Table, texts: list[Any], kind: str) -> None:
    file = table(texts, [1])
    assert refusal_of_parquet(file) == f"expected strings in the column text of {file}, found {kind}"


@pytest.mark.parametrize(
    ("texts", "count"),
    [(["a", None, "b"], 1), (["a", "", " \t\n"], 2), (["\u00a0", "\u2003", None], 3), (["\x1c\x85", "b", "c"], 1)],
)
def test_null_and_blank_texts_are_counted(table: Table, texts: list[str | None], count: int) -> None:
    file = table(texts, [0, 1, 2])
    assert refusal_of_parquet(file) == (
        f"expected a text in every row of {file}, found {count} null or blank; remove those rows"
    )


@pytest.mark.parametrize(
    ("labels", "count", "first"),
    [
        ([0, 6, 7], 2, "6"),
        ([0, 1, -1], 1, "-1"),
        ([0, None, 1], 1, "None"),
        (["joy", "Joy", "happy"], 2, "'Joy'"),
        (["0", "1", "2"], 3, "'0'"),
        ([True, False, True], 3, "True"),
        ([0.0, 1.0, 0.5], 1, "0.5"),
        ([0.0, 1.0, float("nan")], 1, "nan"),
    ],
)
def test_other_labels_are_refused(table: Table, labels: list[Any], count: int, first: str) -> None:
    file = table(["a", "b", "c"], labels)
    assert refusal_of_parquet(file) == (
        f"expected the labels {ORDER}, or 0 to 5 in this order, in the column label of {file}, "
        f"found {count} others such as {first}"
    )


@pytest.mark.parametrize("labels", [[[1], [2]], [{"name": "joy"}, {"name": "fear"}]])
def test_labels_of_a_nested_type_are_refused(table: Table, labels: list[Any]) -> None:
    file = table(["a", "b"], labels)
    assert refusal_of_parquet(file) == (
        f"expected the labels {ORDER}, or 0 to 5 in this order, in the column label of {file}, "
        f"found 2 others such as {labels[0]!r}"
    )


def described(names: Any) -> dict[str, Any]:
    """What the Hub's `datasets` library writes beside a schema."""
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
    return {"info": {"features": features}}


def test_numbers_that_name_another_order_are_refused(table: Table) -> None:
    file = table(["a"], [1], described(["joy", "sadness", *EMOTIONS[2:]]))
    assert refusal_of_parquet(file) == (
        f"expected the labels of {file} in the order {ORDER}, "
        "found joy, sadness, love, anger, fear, surprise; number them anew"
    )


def test_more_names_than_the_six_are_refused(table: Table) -> None:
    file = table(["a"], [1], described([*EMOTIONS, "neutral"]))
    assert refusal_of_parquet(file).endswith(f"found {ORDER}, neutral; number them anew")


@pytest.mark.parametrize(
    "metadata",
    [described(list(EMOTIONS)), {}, {"info": {}}, {"info": {"features": {"label": {"dtype": "int64"}}}}],
)
def test_numbers_that_name_the_same_order_or_none_are_taken(table: Table, metadata: dict[str, Any]) -> None:
    assert read_parquet_file(table(["a"], [1], metadata), ANY) == LabelledTexts(["a"], [1])


# Where the parts are


PARTS = {
    "train": LabelledTexts(["a", "b"], [1, 4]),
    "validation": LabelledTexts(["c"], [1]),
    "test": LabelledTexts(["d", "e"], [3, 0]),
}


def write_part(folder: Path, name: str, labelled: LabelledTexts, form: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if form == "txt":
        write_lines(folder / f"{name}.txt", labelled)
    else:
        write_parquet(folder / f"{name}.parquet", labelled.texts, labelled.labels)


@pytest.mark.parametrize("form", ["txt", "parquet"])
@pytest.mark.parametrize("validation", ["val", "validation"])
@pytest.mark.parametrize("place", ["", "split", "data"])
def test_the_parts_are_found_by_their_names(tmp_path: Path, place: str, validation: str, form: str) -> None:
    for part, labelled in PARTS.items():
        write_part(tmp_path / place, part.replace("validation", validation), labelled, form)
    assert read_parts(DataSettings(source=str(tmp_path))) == PARTS
    assert splits_of(tmp_path) == Splits(*PARTS.values(), overlaps=Overlaps(0, 0, 0, 0, 0))


def test_parts_may_have_different_forms(tmp_path: Path) -> None:
    for (part, labelled), form in zip(PARTS.items(), ("parquet", "txt", "parquet"), strict=True):
        write_part(tmp_path, part, labelled, form)
    assert read_parts(DataSettings(source=str(tmp_path))) == PARTS


def test_the_columns_settings_apply_to_every_part(tmp_path: Path) -> None:
    for part, labelled in PARTS.items():
        write_parquet(tmp_path / f"{part}.parquet", labelled.texts, labelled.labels, text="body", label="feeling")
    assert read_parts(DataSettings(source=str(tmp_path), text="body", label="feeling")) == PARTS


def test_a_part_in_several_files_is_read_in_their_order(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        write_parquet(tmp_path / f"train-0000{number}-of-00003.parquet", [f"text {number}"], [number])
    assert read_parts(DataSettings(source=str(tmp_path))) == {
        "train": LabelledTexts(["text 0", "text 1", "text 2"], [0, 1, 2])
    }


def test_the_parts_that_there_are_can_be_read_alone(tmp_path: Path) -> None:
    write_lines(tmp_path / "test.txt", PARTS["test"])
    assert read_parts(DataSettings(source=str(tmp_path))) == {"test": PARTS["test"]}


def test_files_of_other_names_are_not_read(tmp_path: Path) -> None:
    write_lines(tmp_path / "test.txt", PARTS["test"])
    write_lines(tmp_path / "training.txt", PARTS["train"])
    write_lines(tmp_path / "train.csv", PARTS["train"])
    write_parquet(tmp_path / "trainers.parquet", ["a"], [1])
    write_parquet(tmp_path / "unsplit" / "train-00000-of-00001.parquet", ["a"], [1])
    assert list(read_parts(DataSettings(source=str(tmp_path)))) == ["test"]


@pytest.mark.parametrize("parquet", ["train.parquet", "train-00000-of-00001.parquet"])
def test_two_forms_of_one_part_are_refused(tmp_path: Path, parquet: str) -> None:
    write_lines(tmp_path / "train.txt", PARTS["train"])
    write_parquet(tmp_path / parquet, ["a"], [1])
    with pytest.raises(InputError) as caught:
        read_parts(DataSettings(source=str(tmp_path)))
    assert str(caught.value) == f"expected one form of train in {tmp_path}, found train.txt and {parquet}"


def test_a_folder_without_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_parts(DataSettings(source=str(tmp_path)))
    assert str(caught.value) == (
        f"expected .txt or .parquet files named train, validation, test in {tmp_path}, found none"
    )


@pytest.mark.parametrize("missing", [["train"], ["validation"], ["test"], ["train", "test"]])
def test_missing_parts_are_named(tmp_path: Path, missing: list[str]) -> None:
    for part in PARTS.keys() - missing:
        write_lines(tmp_path / f"{part}.txt", PARTS[part])
    assert refusal_of_splits(tmp_path) == (
        f"expected the parts train, validation, test in {tmp_path}, found no {', '.join(missing)}"
    )


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert refusal_of_splits(tmp_path / "none") == (
        f"expected labelled sentences in the folder {tmp_path}/none, found no such folder; set data.source"
    )


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.txt", PARTS["train"])
    assert refusal_of_splits(tmp_path / "train.txt") == (
        f"expected labelled sentences in the folder {tmp_path}/train.txt, found no such folder; set data.source"
    )


# What keeps the parts apart


def test_sentences_of_the_other_parts_are_left_out_of_training(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a;joy\nb;joy\nb;fear\nc;love\nd;fear\n")
    (tmp_path / "val.txt").write_text("b;joy\n")
    (tmp_path / "test.txt").write_text("c;anger\nx;joy\n")
    splits = splits_of(tmp_path)
    assert splits.train == LabelledTexts(["a", "d"], [1, 4])
    assert splits.validation == LabelledTexts(["b"], [1])
    assert splits.test == LabelledTexts(["c", "x"], [3, 1])
    assert splits.overlaps == Overlaps(leaked=3, leaked_with_another_label=2, repeated=0, conflicting=1, held_out=0)


def test_repeated_and_conflicting_sentences_are_counted_and_kept(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a;joy\na;joy\na;joy\nb;joy\nb;fear\nb;love\nc;joy\nc;joy\nc;fear\n")
    (tmp_path / "val.txt").write_text("x;joy\n")
    (tmp_path / "test.txt").write_text("y;joy\n")
    splits = splits_of(tmp_path)
    assert len(splits.train) == 9
    assert splits.overlaps == Overlaps(leaked=0, leaked_with_another_label=0, repeated=3, conflicting=2, held_out=0)


def test_texts_of_both_held_out_parts_are_counted_once(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a;joy\nb;fear\n")
    (tmp_path / "val.txt").write_text("x;joy\nx;joy\ny;joy\n")
    (tmp_path / "test.txt").write_text("x;fear\nx;joy\nz;joy\n")
    assert splits_of(tmp_path).overlaps == Overlaps(0, 0, 0, 0, held_out=1)


def test_a_label_that_stands_in_one_of_the_held_out_parts_is_not_another(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a;joy\nb;fear\nx;joy\nx;fear\nx;love\n")
    (tmp_path / "val.txt").write_text("x;joy\n")
    (tmp_path / "test.txt").write_text("x;fear\n")
    overlaps = splits_of(tmp_path).overlaps
    assert (overlaps.leaked, overlaps.leaked_with_another_label) == (3, 1)


SHORT = st.lists(st.tuples(st.sampled_from("abcdefgh"), LABEL), min_size=1, max_size=12)


@given(SHORT, SHORT, SHORT)
def test_no_training_sentence_is_held_out_whatever_the_parts(
    tmp_path_factory: pytest.TempPathFactory,
    train: list[tuple[str, int]],
    validation: list[tuple[str, int]],
    test: list[tuple[str, int]],
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    train = [*train, ("sad", 0), ("glad", 1)]  # two that never leak, of two emotions
    for name, rows in (("train", train), ("val", validation), ("test", test)):
        write_lines(folder / f"{name}.txt", labelled_of(rows))
    splits = splits_of(folder)
    held_out = {text for text, _ in [*validation, *test]}
    assert splits.train == labelled_of([row for row in train if row[0] not in held_out])
    assert (splits.validation, splits.test) == (labelled_of(validation), labelled_of(test))
    overlaps = splits.overlaps
    assert overlaps.leaked == len(train) - len(splits.train)
    assert overlaps.leaked_with_another_label <= overlaps.leaked
    assert overlaps.repeated == len(train) - len(set(train))
    assert overlaps.held_out == len({text for text, _ in validation} & {text for text, _ in test})


def test_one_emotion_alone_cannot_be_trained_on(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a;joy\nb;joy\nx;fear\n")
    (tmp_path / "val.txt").write_text("x;fear\n")
    (tmp_path / "test.txt").write_text("y;love\n")
    assert refusal_of_splits(tmp_path) == (
        f"expected training sentences of several emotions in {tmp_path}, found only joy"
    )


def test_a_training_part_that_is_held_out_altogether_is_refused(tmp_path: Path) -> None:
    for name in ("train", "val", "test"):
        (tmp_path / f"{name}.txt").write_text("a;joy\nb;fear\n")
    assert refusal_of_splits(tmp_path) == (
        f"expected training sentences of several emotions in {tmp_path}, found none that is not in validation or test"
    )


# The Hub. Its network call is the one edge that is faked here.

ON_THE_HUB = [
    "README.md",
    "split/test-00000-of-00001.parquet",
    "split/train-00000-of-00001.parquet",
    "split/validation-00000-of-00001.parquet",
    "unsplit/train-00000-of-00001.parquet",
]


def write_hub_files(folder: Path, files: list[str]) -> None:
    """Write what dair-ai/emotion has on the Hub; `unsplit` is another set, and not to be read."""
    for file in files:
        if file.endswith(".parquet"):
            part = PARTS[file.partition("/")[2].partition("-")[0]]
            texts = ["of another set"] if file.startswith("unsplit/") else part.texts
            write_parquet(folder / file, texts, part.labels[: len(texts)], described(list(EMOTIONS)))


def test_a_hub_id_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def download(hub_id: str, **options: Any) -> str:
        asked.append({"hub_id": hub_id, **options})
        wanted = list(filter_repo_objects(ON_THE_HUB, allow_patterns=options["allow_patterns"]))
        assert wanted == [file for file in ON_THE_HUB if file.startswith("split/")]
        write_hub_files(tmp_path, wanted)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    splits = read_splits(DataSettings(source="dair-ai/emotion", revision="v1"))
    assert splits == Splits(*PARTS.values(), overlaps=Overlaps(0, 0, 0, 0, 0))
    assert [(a["hub_id"], a["revision"], a["repo_type"], a["local_files_only"]) for a in asked] == [
        ("dair-ai/emotion", "v1", "dataset", False),
    ]


@pytest.mark.parametrize("place", ["", "data/"])
def test_other_layouts_of_the_hub_are_downloaded_too(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    patterns: list[str] = []

    def download(*_: Any, allow_patterns: list[str], **__: Any) -> NoReturn:
        patterns.extend(allow_patterns)
        raise LocalEntryNotFoundError("not here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(UsageError):
        splits_of("owner/name")
    files = [f"{place}{name}.parquet" for name in ("train", "val", "validation-00000-of-00002", "test")]
    assert list(filter_repo_objects(files, allow_patterns=patterns)) == files


def test_an_incomplete_local_copy_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hub_files(tmp_path / "partial", ON_THE_HUB[:2])
    write_hub_files(tmp_path / "whole", ON_THE_HUB)

    def download(*_: Any, local_files_only: bool, **__: Any) -> str:
        return str(tmp_path / ("partial" if local_files_only else "whole"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert splits_of("dair-ai/emotion").train == PARTS["train"]


def test_a_hub_that_gives_no_data_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: Any, **__: Any) -> NoReturn:
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(UsageError, match="expected to load owner/name at its main branch from the Hub, found neither"):
        splits_of("owner/name")


def test_a_repository_without_parts_is_named_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(tmp_path))
    assert refusal_of_splits("owner/name") == (
        "expected .txt or .parquet files named train, validation, test in owner/name, found none"
    )


def test_a_local_folder_wins_over_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("the Hub was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.chdir(tmp_path)
    write_part(tmp_path / "dair-ai" / "emotion", "test", PARTS["test"], "txt")
    assert read_parts(DataSettings(source="dair-ai/emotion")) == {"test": PARTS["test"]}


# The real data


def test_no_training_sentence_of_the_real_data_is_held_out(data: Path) -> None:
    splits = splits_of(data / "emotion")
    assert not {*splits.train.texts} & {*splits.validation.texts, *splits.test.texts}
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (15_984, 2_000, 2_000)
    assert splits.overlaps == Overlaps(leaked=16, leaked_with_another_label=16, repeated=1, conflicting=30, held_out=3)
    assert all(set(part.labels) == set(range(6)) for part in (splits.train, splits.validation, splits.test))
