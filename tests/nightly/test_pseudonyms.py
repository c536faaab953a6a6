"""Nights with pseudonyms: what they leave on disk, and what another key does to them."""

from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from emotion_udf.errors import GateError
from emotion_udf.gates import check_pseudonyms
from emotion_udf.jobs.maintenance import Maintenance
from emotion_udf.nightly.backfill import published_days
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.schemas import LABELS, QUARANTINE, RUNS
from emotion_udf.settings.nightly import GateSettings, NightSettings, WarehouseSettings
from emotion_udf.settings.pseudonym_key import KEY_VARIABLE
from emotion_udf.storage import open_folder
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.window import Window
from tests.helpers.messages import DAY, input_settings, message, write_messages
from tests.helpers.published import Published

KEY = "a key of the tests, 32 bytes or more"
TODAY, TOMORROW = Window(DAY, DAY), Window(DAY + timedelta(days=1), DAY + timedelta(days=1))
PRIVATE = (b"id-of-one", b"id-of-two", b"id-of-three", b"ann")


def night(folder: Path) -> NightSettings:
    return NightSettings(
        input=input_settings(folder / "in", pseudonymise=["id", "author"]),
        warehouse=WarehouseSettings(root=str(folder / "out"), keep_text=True),
        gate=GateSettings(max_quarantined_share=0.9),
    )


@pytest.fixture(scope="module")
def first_night(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("pseudonyms")
    rows = [message("id-of-one"), message("id-of-one"), message("id-of-two"), message("id-of-three", " ")]
    write_messages(folder / "in/1.parquet", rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, KEY)
        return Published(folder, run_night(spark, night(folder), TODAY))


@pytest.fixture
def published(first_night: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    return first_night.copy_to(tmp_path)


def holders_of(folder: Path, words: tuple[bytes, ...]) -> list[str]:
    files = [file for file in (folder / "out").rglob("*") if file.is_file()]
    return [f"{file}: {word!r}" for file in files for word in words if word in file.read_bytes()]


def test_no_file_of_the_warehouse_has_an_id_or_an_author(published: Published) -> None:
    folder, run = published

    assert (run.rows_labelled, run.rows_quarantined) == (2, 2), "two of one id are still duplicates"
    assert holders_of(folder, PRIVATE) == []
    assert b"i feel fine" in b"".join(file.read_bytes() for file in folder.glob("out/emotion_labels/data/*/*/*"))
    ids = DeltaTable(folder / "out" / LABELS).to_pyarrow_table()["feedback_id"].to_pylist()
    assert [len(id_) for id_ in ids] == [32, 32]


def test_another_key_and_no_key_are_noticed_before_anything_is_read(
    spark: SparkSession, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = published
    monkeypatch.setenv(KEY_VARIABLE, KEY + " another")
    with pytest.raises(GateError, match="changed_pseudonyms: 1, at most 0"):
        run_night(spark, night(folder), TOMORROW)
    without = night(folder).model_copy(update={"input": input_settings(folder / "in")})
    with pytest.raises(GateError, match="changed_pseudonyms: 1, at most 0"):
        run_night(spark, without, TOMORROW)

    refused = DeltaTable(folder / "out" / RUNS).to_pyarrow_table().to_pylist()[:2]
    assert {row["rows_read"] for row in refused if row["outcome"] == "refused"} == {0}
    assert check_pseudonyms(0)[0].name in {gate["name"] for row in refused for gate in row["gates"]}


def test_a_day_of_another_key_is_not_done_yet(first_night: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = first_night  # no copy: its place is one of the settings
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    warehouse = DeltaWarehouse(open_folder(str(folder / "out")))

    assert published_days(warehouse, night(folder)) == {DAY}
    monkeypatch.setenv(KEY_VARIABLE, KEY + " another")
    assert published_days(warehouse, night(folder)) == set()


def test_forget_takes_the_ids_of_the_input(published: Published, tmp_path: Path) -> None:
    folder, _ = published
    before = DeltaTable(folder / "out" / LABELS).to_pyarrow_table().num_rows
    ids = tmp_path / "ids.txt"
    ids.write_text("id-of-two\nid-of-three\n")
    Maintenance(night(folder)).forget(ids)

    assert DeltaTable(folder / "out" / LABELS).to_pyarrow_table().num_rows == before - 1
    assert DeltaTable(folder / "out" / QUARANTINE).to_pyarrow_table()["reasons"].to_pylist() == [["duplicate_id"]]
