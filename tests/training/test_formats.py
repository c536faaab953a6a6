"""Labelled sentences in the forms that people have them in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import InputError
from emotion_udf.settings.labelled import SourceSettings
from emotion_udf.training.formats import Rows, read_parquet, read_rows, read_semicolon, read_tab, read_two_files
from emotion_udf.training.labels import LabelledTexts
from tests.helpers.training import write_lines

ANY = SourceSettings(name="any", path="not looked at")

Lines = Callable[[str | bytes], Path]
Table = Callable[..., Path]


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    def write(content: str | bytes) -> Path:
        file = tmp_path / "labelled.txt"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


@pytest.fixture
def table(tmp_path: Path) -> Table:
    def write(texts: Any, labels: Any, metadata: dict[str, Any] | None = None, **names: str) -> Path:
        file = tmp_path / "labelled.parquet"
        columns = pa.table({names.get("text", "text"): texts, names.get("label", "label"): labels})
        if metadata is not None:
            columns = columns.replace_schema_metadata({"huggingface": json.dumps(metadata)})
        pq.write_table(columns, file)
        return file

    return write


def described(names: Any) -> dict[str, Any]:
    """Return what the Hub's `datasets` library writes beside a schema."""
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
    return {"info": {"features": features}}


# Semicolons


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("i feel fine;joy\nyes; no; maybe;fear\n", Rows(["i feel fine", "yes; no; maybe"], [["joy"], ["fear"]])),
        ("a;joy\nb;fear", Rows(["a", "b"], [["joy"], ["fear"]])),
        ("\ufeffa;joy\n", Rows(["a"], [["joy"]])),
        *((f"a{mark}b;joy\n", Rows([f"a{mark}b"], [["joy"]])) for mark in ("\u2028", "\x85", "\x0b", "\x1c")),
    ],
)
def test_the_label_follows_the_last_semicolon_and_only_a_newline_ends_a_line(
    lines: Lines, content: str, rows: Rows
) -> None:
    assert read_semicolon(lines(content)) == rows


TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1).filter(str.strip)
ROWS = st.lists(st.tuples(TEXT, st.integers(0, 5)), min_size=1, max_size=20)


@given(ROWS)
def test_any_sentences_come_back_from_both_forms(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]]
) -> None:
    labelled = LabelledTexts([text for text, _ in rows], [label for _, label in rows])
    folder = tmp_path_factory.mktemp("forms")
    write_lines(folder / "train.txt", labelled)
    pq.write_table(pa.table({"text": labelled.texts, "label": labelled.labels}), folder / "train.parquet")
    expected = Rows(labelled.texts, [[EMOTIONS[label]] for label in labelled.labels])
    assert read_rows(folder / "train.txt", ANY) == expected
    assert read_rows(folder / "train.parquet", ANY) == expected


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        *(
            (f"good;joy\n{line}\ngood;joy\n", "line 2")
            for line in ("i feel fine", "i feel fine;", "", ";joy", "  ;joy")
        ),
        *((content, "found an empty file") for content in ("", "\n", "\n\n\n")),
        *(("très content;joy\n".encode(code), "expected UTF-8") for code in ("latin-1", "utf-16")),
    ],
)
def test_malformed_lines_are_refused(lines: Lines, content: str | bytes, facts: str) -> None:
    file = lines(content)
    with pytest.raises(InputError) as caught:
        read_semicolon(file)
    assert str(file) in str(caught.value)
    assert facts in str(caught.value)


# Tabs


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        ("a\t1\nb, c\t0,2\t17 raters\n", ["x", "y", "z"], Rows(["a", "b, c"], [["y"], ["x", "z"]])),
        ("a\tjoy,love\n", [], Rows(["a"], [["joy", "love"]])),
    ],
)
def test_labels_follow_a_tab(lines: Lines, content: str, names: list[str], rows: Rows) -> None:
    assert read_tab(lines(content), names) == rows


@pytest.mark.parametrize("line", ["a", "a\t", "a\t3", "a\t0,", "a\t-1", "a\tx", " \t1", "a\t1,9"])
def test_lines_without_a_known_label_are_refused(lines: Lines, line: str) -> None:
    with pytest.raises(InputError, match="line 2: expected a text, a tab and labels"):
        read_tab(lines(f"good\t1\n{line}\n"), ["x", "y", "z"])


@pytest.mark.parametrize(("name", "content"), [("labels.txt", "x\ny\n"), ("mapping.txt", "0\tx\n1\ty")])
def test_names_of_label_numbers_may_lie_beside_the_file(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    (tmp_path / "train.tsv").write_text("a\t1\n")
    assert read_rows(tmp_path / "train.tsv", ANY).labels == [["y"]]
    stated = ANY.model_copy(update={"label_names": ["p", "q"]})
    assert read_rows(tmp_path / "train.tsv", stated).labels == [["q"]]


# Two files


def test_texts_and_labels_may_be_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "val_text.txt").write_text("a;b\nc\n")
    (tmp_path / "val_labels.txt").write_text("1\n0\n")
    assert read_two_files(tmp_path / "val_text.txt", ["x", "y"]) == Rows(["a;b", "c"], [["y"], ["x"]])


@pytest.mark.parametrize("labels", ["1\n", "1\n2\n", "1\n\n0\n", None])
def test_labels_that_do_not_go_with_the_texts_are_refused(tmp_path: Path, labels: str | None) -> None:
    (tmp_path / "val_text.txt").write_text("a\nb\n")
    if labels is not None:
        (tmp_path / "val_labels.txt").write_text(labels)
    with pytest.raises(InputError, match=r"expected (one known label|labels beside)"):
        read_two_files(tmp_path / "val_text.txt", ["x", "y"])


# Parquet


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (pa.array([5, 0, 1], pa.int8()), []),
        (pa.array([5, 0, 1], pa.uint16()), []),
        (pa.array([1, 0, 2], pa.int64()), ["sadness", "surprise", "joy"]),
        (pa.array(["surprise", "sadness", "joy"]), []),
        (pa.array(["surprise", "sadness", "joy"]).cast(pa.dictionary(pa.int8(), pa.string())), []),
    ],
)
def test_labels_are_numbers_or_names(table: Table, labels: pa.Array, names: list[str]) -> None:
    file = table(pa.array(["a", "b", "c"], pa.large_string()), labels)
    source = ANY.model_copy(update={"label_names": names})
    assert read_parquet(file, source) == Rows(["a", "b", "c"], [["surprise"], ["sadness"], ["joy"]])


def test_columns_may_have_other_names(table: Table) -> None:
    file = table(["a"], [1], text="sentence", label="emotion")
    source = ANY.model_copy(update={"text": "sentence", "label": "emotion"})
    assert read_parquet(file, source) == Rows(["a"], [["joy"]])


def test_unlabelled_texts_need_no_label_column(table: Table) -> None:
    file = table(["a", "b"], [1, 2], label="other")
    assert read_parquet(file, ANY.model_copy(update={"unlabelled": True})) == Rows(["a", "b"], [[], []])


@pytest.mark.parametrize(
    "metadata", [described(list(EMOTIONS)), {}, {"info": {}}, {"info": {"features": {"label": {}}}}]
)
def test_numbers_that_name_the_same_order_or_none_are_taken(table: Table, metadata: dict[str, Any]) -> None:
    assert read_parquet(table(["a"], [1], metadata), ANY) == Rows(["a"], [["joy"]])


@pytest.mark.parametrize(
    ("texts", "labels", "facts"),
    [
        ([1], [1], "expected strings in the column text of {}, found int64"),
        ([["a"]], [1], "found list<"),
        ([None], [1], "found null"),
        (["a", "", " \t\n"], [0, 1, 2], "found 2 null or blank"),
        (["\u00a0", "\u2003", None], [0, 1, 2], "found 3 null or blank"),
        (["a", "b", "c"], [0, 6, 7], "found 2 others such as 6"),
        (["a", "b"], [0, -1], "found 1 others such as -1"),
        (["a", "b"], [0, None], "found 1 others such as None"),
        (["a", "b"], [True, False], "found 2 others such as True"),
        (["a", "b"], [0.0, 0.5], "found 1 others such as 0.5"),
        (["a"], [[1]], "found 1 others such as [1]"),
        (pa.array([], pa.string()), pa.array([], pa.int64()), "found no rows"),
    ],
)
def test_malformed_columns_are_refused(table: Table, texts: Any, labels: Any, facts: str) -> None:
    file = table(texts, labels)
    with pytest.raises(InputError) as caught:
        read_parquet(file, ANY)
    assert facts.format(file) in str(caught.value)


@pytest.mark.parametrize("names", [["joy", "sadness", *EMOTIONS[2:]], [*EMOTIONS, "neutral"]])
def test_numbers_that_name_another_order_are_refused(table: Table, names: list[str]) -> None:
    with pytest.raises(InputError, match=f"found {', '.join(names)}; number them anew"):
        read_parquet(table(["a"], [1], described(names)), ANY)


@pytest.mark.parametrize("column", ["text", "label"])
def test_a_missing_column_is_named(table: Table, column: str) -> None:
    with pytest.raises(InputError, match=r"expected the column other in .*, found text, label; name them"):
        read_parquet(table(["a"], [1]), ANY.model_copy(update={column: "other"}))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"i feel fine;joy\n", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "labelled.parquet"
    file.write_bytes(content)
    with pytest.raises(InputError, match="expected a Parquet file"):
        read_parquet(file, ANY)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"labelled sentences at .*none\.tsv, found no such file"):
        read_rows(tmp_path / "none.tsv", ANY)
