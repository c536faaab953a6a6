from datetime import date, datetime

import pytest
from pyspark.sql import SparkSession

from emotion_udf.emotions import EMOTIONS
from emotion_udf.schemas import checked_schema, labels_schema, scores_schema
from emotion_udf.settings import InputSettings, LabelSettings, NightSettings, WarehouseSettings
from emotion_udf.steps.label import label


def settings(keep_text: bool = False, min_confidence: float = 0.5) -> NightSettings:
    return NightSettings(
        input=InputSettings(path="in", dimensions={"source": "source"}),
        labels=LabelSettings(min_confidence=min_confidence),
        warehouse=WarehouseSettings(root="out", keep_text=keep_text),
    )


def label_two(spark: SparkSession, given: NightSettings):
    """Label two messages of one text, and one of another."""
    day, noon = date(2026, 10, 5), datetime(2026, 10, 5, 12)
    accepted = [
        (name, text, hash_, noon, "tweet", day, [], None, "f")
        for name, text, hash_ in (("a", "yay", "h1"), ("b", "yay", "h1"), ("c", "hm", "h2"))
    ]
    scores = [
        ("h1", "joy", 0.9, 0.02, 0.9, 0.02, 0.02, 0.02, 0.02, 3, False),
        ("h2", "sadness", 0.4, 0.4, 0.12, 0.12, 0.12, 0.12, 0.12, 3, True),
    ]
    return label(
        spark.createDataFrame(accepted, checked_schema(["source"])),
        spark.createDataFrame(scores, scores_schema()),
        given,
        "print",
        "run",
    )


def test_every_message_gets_the_scores_of_its_text(spark: SparkSession) -> None:
    rows = {row.feedback_id: row for row in label_two(spark, settings()).collect()}

    assert {name: row.emotion for name, row in rows.items()} == {"a": "joy", "b": "joy", "c": "sadness"}
    assert {name: row.is_confident for name, row in rows.items()} == {"a": True, "b": True, "c": False}
    assert {name: row.is_truncated for name, row in rows.items()} == {"a": False, "b": False, "c": True}
    assert (rows["a"].model_fingerprint, rows["a"].run_id, rows["a"].source) == ("print", "run", "tweet")
    assert sum(rows["c"][emotion] for emotion in EMOTIONS) == pytest.approx(1)


def test_confidence_at_the_threshold_is_confident(spark: SparkSession) -> None:
    rows = label_two(spark, settings(min_confidence=0.9)).collect()

    assert {row.feedback_id: row.is_confident for row in rows} == {"a": True, "b": True, "c": False}


def test_text_is_kept_only_when_settings_say_so(spark: SparkSession) -> None:
    without, with_text = label_two(spark, settings()), label_two(spark, settings(keep_text=True))

    assert without.columns == labels_schema(["source"]).fieldNames()
    assert with_text.columns == labels_schema(["source"], keep_text=True).fieldNames()
    assert {row.text for row in with_text.collect()} == {"yay", "hm"}
