import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from emotion_udf.errors import InputError
from emotion_udf.ingest.inventory import take_inventory
from emotion_udf.ingest.read import MOST_NAME_CHARS, read_window
from emotion_udf.schemas import Reason
from emotion_udf.steps.pseudonymise import Pseudonyms, pseudonymise, require_hidden
from emotion_udf.steps.validate import validate
from emotion_udf.storage import open_folder
from emotion_udf.window import Window
from tests.helpers.messages import WriteMessages, input_settings, message, messages, write_messages

KEY = b"a key of the tests, 32 bytes or more"
ALL = Pseudonyms(frozenset({"id", "author", "source"}), KEY)


def checked(
    spark: SparkSession, folder: Path, day: Window, rows: list[dict[str, Any]], pseudonyms: Pseudonyms = ALL
) -> list[Any]:
    settings = input_settings(write_messages(folder / "a.parquet", rows), pseudonymise=list(pseudonyms.columns))
    raw = pseudonymise(read_window(spark, settings, day).rows, settings, pseudonyms)
    return validate(raw, settings).orderBy("created_at", "feedback_id").collect()


def test_nothing_of_a_row_shows_what_is_replaced(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    rows = [message("id-of-one"), message("id-of-two", text=" ")]
    refused, accepted = sorted(checked(spark, tmp_path, day, rows), key=lambda row: not row.raw)

    assert accepted.feedback_id == ALL.of(b"id-of-one")
    assert accepted.source == refused.source == ALL.of(b"tweet")
    assert accepted.file == refused.file == f"file://{tmp_path}/a.parquet"
    assert refused.feedback_id == ALL.of(b"id-of-two")
    assert json.loads(refused.raw)["author"] == ALL.of(b"ann")
    assert not any(word in str([refused, accepted]) for word in ("id-of", "ann", "tweet"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, Reason.MISSING_ID),
        ({"id": "  "}, Reason.MISSING_ID),
        ({"id": "x" * (MOST_NAME_CHARS + 1)}, Reason.VALUE_TOO_LONG),
        ({"source": "ü" * (MOST_NAME_CHARS + 1)}, Reason.VALUE_TOO_LONG),
    ],
)
def test_what_is_refused_of_a_value_is_refused_of_its_pseudonym(
    spark: SparkSession, tmp_path: Path, day: Window, change: dict[str, Any], reason: Reason
) -> None:
    (row,) = checked(spark, tmp_path, day, [message() | change])

    assert row.reasons == [reason]
    assert "xxx" not in str(row)
    assert "üüü" not in str(row)


def test_an_id_that_is_not_utf8_is_refused(spark: SparkSession, write: WriteMessages, day: Window) -> None:
    not_utf8 = pa.Array.from_buffers(pa.string(), 1, [None, *pa.array([b"private\xff"]).buffers()[1:]])
    file = write("a.parquet", messages(1, id=not_utf8))
    settings = input_settings(file, pseudonymise=["id"])
    only_ids = Pseudonyms(frozenset({"id"}), KEY)
    (row,) = validate(pseudonymise(read_window(spark, settings, day).rows, settings, only_ids), settings).collect()

    assert row.reasons == [Reason.INVALID_UTF8]
    assert "private" not in str(row)


@pytest.mark.parametrize("ids", [pa.array([7, 8]), pa.array([b"7", b"8"]), pa.array(["7", "8"])])
def test_an_id_of_any_type_gets_the_pseudonym_of_its_string(
    spark: SparkSession, write: WriteMessages, day: Window, ids: pa.Array
) -> None:
    settings = input_settings(write("a.parquet", messages(2, id=ids)), pseudonymise=["id"])
    only_ids = Pseudonyms(frozenset({"id"}), KEY)
    raw = read_window(spark, settings, day).rows
    plain = {row.feedback_id for row in raw.collect()}
    found = {row.feedback_id for row in pseudonymise(raw, settings, only_ids).collect()}

    assert found == {only_ids.of(id_.encode()) for id_ in plain}


def test_a_nested_author_is_replaced_as_a_whole(spark: SparkSession, write: WriteMessages, day: Window) -> None:
    authors = pa.array([{"name": "ann", "at": "@ann"}, {"name": "bob", "at": "@bob"}])
    settings = input_settings(write("a.parquet", messages(2, author=authors)), pseudonymise=["AUTHOR"])
    names = Pseudonyms(frozenset({"author"}), KEY)
    rows = pseudonymise(read_window(spark, settings, day).rows, settings, names).collect()

    assert {len(row.raw.author) for row in rows} == {32}
    assert "ann" not in str(rows)


def test_a_name_that_the_input_does_not_have_is_refused(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    wrong = Pseudonyms(frozenset({"autor"}), KEY)

    with pytest.raises(InputError, match=r"expected the columns autor .*found author, created_at, id, source, text"):
        checked(spark, tmp_path, day, [message()], wrong)


def test_folders_named_for_the_values_are_refused(write: WriteMessages, day: Window) -> None:
    write("author=ann/a.parquet")
    folder = write("author=bob/a.parquet").parents[1]
    inventory = take_inventory(open_folder(str(folder)), input_settings(folder), day)

    with pytest.raises(InputError, match="folders that are named for them") as raised:
        require_hidden(inventory, ALL)
    assert "bob" not in str(raised.value)
    require_hidden(inventory, Pseudonyms(frozenset({"id"}), KEY))
    require_hidden(inventory, None)


@given(st.binary(), st.binary(min_size=32))
def test_a_pseudonym_is_the_head_of_the_hmac(value: bytes, key: bytes) -> None:
    assert Pseudonyms(frozenset(), key).of(value) == hmac.new(key, value, hashlib.sha256).hexdigest()[:32]


def test_the_mark_tells_keys_and_columns_apart_and_keeps_the_key() -> None:
    marks = {
        Pseudonyms(frozenset(columns), key).mark for columns in (["id"], ["id", "author"]) for key in (KEY, KEY + b"2")
    }
    assert len(marks) == 4
    assert "a key of" not in repr(ALL)
