"""Nights of the real job before and after maintenance."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from emotion_udf.jobs.maintenance import Maintenance
from emotion_udf.nightly.pipeline import run_night
from emotion_udf.schemas import LABELS, TEXT_SCORES
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.nightly import GateSettings, NightSettings, WarehouseSettings
from emotion_udf.window import Window
from tests.helpers.messages import DAY, NOON, input_settings, message, write_messages

TEXT = "i lost my keys at the old harbour"
OTHERS = [message("m2", "i feel so happy"), message("m3", "i am scared"), message(None, "nobody wrote this")]


def words_of(root: Path) -> Iterator[str]:
    """Yield what every file below a folder says: its bytes, and the rows and the footer of what is Parquet."""
    for file in root.rglob("*"):
        if file.is_file():
            yield file.read_bytes().decode("latin-1")
        if file.suffix == ".parquet":
            yield str(pq.ParquetFile(file).read().to_pylist())
            yield str(pq.read_metadata(file).to_dict())


def ids_of(settings: NightSettings) -> list[str]:
    return sorted(DeltaTable(f"{settings.warehouse.root}/{LABELS}").to_pyarrow_table()["feedback_id"].to_pylist())


@pytest.mark.slow
def test_a_message_is_forgotten_and_nights_go_on(spark: SparkSession, tmp_path: Path, day: Window) -> None:
    settings = NightSettings(
        input=input_settings(tmp_path / "in"),
        classifier=ClassifierSettings(precision="fp32"),
        warehouse=WarehouseSettings(root=str(tmp_path / "out"), keep_text=True),
        gate=GateSettings(max_quarantined_share=0.9, min_replaced_share=0.5, allow_empty_dates=True),
    )
    edited = message("id-of-ann", TEXT, created_at=NOON - timedelta(hours=1))
    file = write_messages(tmp_path / "in/1.parquet", [message("id-of-ann", TEXT), edited, *OTHERS])
    run_night(spark, settings, day)
    run_night(spark, settings, Window(DAY, DAY + timedelta(days=1)))
    Maintenance(settings).compact()
    assert any("id-of-ann" in words for words in words_of(tmp_path / "out"))

    ids = tmp_path / "ids.txt"
    ids.write_text("id-of-ann\n")
    Maintenance(settings).forget(ids)
    assert not [words for words in words_of(tmp_path / "out") if "id-of-ann" in words or TEXT in words]
    assert ids_of(settings) == ["m2", "m3"]
    assert DeltaTable(f"{settings.warehouse.root}/{TEXT_SCORES}").to_pyarrow_table().num_rows == 2

    write_messages(file, OTHERS)
    run = run_night(spark, settings, day)
    assert (run.rows_labelled, run.reused_texts) == (2, 2), "scores that were written anew are read"
    assert ids_of(settings) == ["m2", "m3"]
