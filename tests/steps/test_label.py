from datetime import date, datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.classifier.configuration import DEFAULT_MIN_CONFIDENCE, ModelConfig
from emotion_udf.emotions import EMOTIONS
from emotion_udf.schemas import checked_schema, labels_schema, scores_schema
from emotion_udf.settings.nightly import InputSettings, LabelSettings, NightSettings, WarehouseSettings
from emotion_udf.steps.label import label, min_confidence
from emotion_udf.steps.language import can_detect
from emotion_udf.steps.score import text_key


def settings(keep_text: bool = False, min_confidence: float | None = 0.5) -> NightSettings:
    return NightSettings(
        input=InputSettings(path="in", dimensions={"source": "source"}),
        labels=LabelSettings(min_confidence=min_confidence),
        warehouse=WarehouseSettings(root="out", keep_text=keep_text),
    )


def artifact(min_confidence: float | None = None) -> Artifact:
    """A model folder as `label` sees it."""
    configuration = ModelConfig(
        dim=32, hidden_dim=64, n_heads=4, n_layers=2, vocab_size=9, max_position_embeddings=64,
        min_confidence=DEFAULT_MIN_CONFIDENCE if min_confidence is None else min_confidence,
    )  # fmt: skip
    return Artifact(Path("model"), configuration, weights_sha256="0" * 64, fingerprint="print")


def label_two(spark: SparkSession, given: NightSettings, model: Artifact | None = None, text: str = "yay") -> DataFrame:
    """Label two messages of one text, and one of another."""
    day, noon = date(2026, 10, 5), datetime(2026, 10, 5, 12)
    no_reasons: list[str] = []
    messages = [
        (name, text, noon, "tweet", day, no_reasons, None, "f", key)
        for name, text, key in (("a", text, "h1"), ("b", text, "h1"), ("c", "hm", "h2"))
    ]
    scores = [
        ("h1", "joy", 0.9, 0.02, 0.9, 0.02, 0.02, 0.02, 0.02, 3, 0, False, "torch fp32 on cpu", "auto"),
        ("h2", "sadness", 0.4, 0.4, 0.12, 0.12, 0.12, 0.12, 0.12, 3, 1, True, "torch fp32 on cpu", "auto"),
    ]
    return label(
        spark.createDataFrame(messages, checked_schema(["source"]).add("text_key", "string")),
        spark.createDataFrame(scores, scores_schema()),
        given,
        model or artifact(),
        "run",
    )


def test_every_message_gets_the_scores_of_its_text(spark: SparkSession) -> None:
    rows = {row.feedback_id: row for row in label_two(spark, settings()).collect()}

    assert {name: row.emotion for name, row in rows.items()} == {"a": "joy", "b": "joy", "c": "sadness"}
    assert {name: row.is_confident for name, row in rows.items()} == {"a": True, "b": True, "c": False}
    assert {name: row.is_truncated for name, row in rows.items()} == {"a": False, "b": False, "c": True}
    assert (rows["a"].model_fingerprint, rows["a"].run_id, rows["a"].source) == ("print", "run", "tweet")
    assert {name: row.unknown_token_count for name, row in rows.items()} == {"a": 0, "b": 0, "c": 1}
    # The key is the text's, whatever the scores were found by.
    assert rows["a"].text_key == rows["b"].text_key == text_key("yay")
    assert rows["c"].text_key == text_key("hm")
    assert sum(rows["c"][emotion] for emotion in EMOTIONS) == pytest.approx(1)


def test_confidence_at_the_threshold_is_confident(spark: SparkSession) -> None:
    rows = label_two(spark, settings(min_confidence=0.9)).collect()

    assert {row.feedback_id: row.is_confident for row in rows} == {"a": True, "b": True, "c": False}


@pytest.mark.parametrize(
    ("of_settings", "of_model", "expected"),
    [
        (None, None, 0.5),
        (None, 0.8, 0.8),
        (None, 0.0, 0.0),
        (0.6, None, 0.6),
        (0.6, 0.8, 0.6),
        (0.0, 0.8, 0.0),
        (1.0, 0.8, 1.0),
    ],
)
def test_the_settings_threshold_comes_before_the_models(
    of_settings: float | None, of_model: float | None, expected: float
) -> None:
    assert min_confidence(settings(min_confidence=of_settings), artifact(of_model)) == expected


@pytest.mark.parametrize(
    ("of_model", "confident"),
    [
        (0.9, {"a": True, "b": True, "c": False}),
        (0.901, {"a": False, "b": False, "c": False}),
        (0.4, {"a": True, "b": True, "c": True}),
        (None, {"a": True, "b": True, "c": False}),
    ],
)
def test_without_a_setting_the_models_own_threshold_is_used(
    spark: SparkSession, of_model: float | None, confident: dict[str, bool]
) -> None:
    rows = label_two(spark, settings(min_confidence=None), artifact(of_model)).collect()

    assert {row.feedback_id: row.is_confident for row in rows} == confident


def test_text_is_kept_only_when_settings_say_so(spark: SparkSession) -> None:
    without, with_text = label_two(spark, settings()), label_two(spark, settings(keep_text=True))

    assert without.columns == labels_schema(["source"]).fieldNames()
    assert with_text.columns == labels_schema(["source"], keep_text=True).fieldNames()
    assert {row.text for row in with_text.collect()} == {"yay", "hm"}


@pytest.mark.skipif(not can_detect(), reason="pycld2 is not installed: no wheel for this machine")
def test_a_label_of_another_language_is_not_confident(spark: SparkSession) -> None:
    text = "Ich bin heute so froh, weil mein Paket endlich angekommen ist."
    rows = {row.feedback_id: row for row in label_two(spark, settings(), text=text).collect()}

    assert {name: row.language for name, row in rows.items()} == {"a": "de", "b": "de", "c": None}
    assert {name: row.is_supported_language for name, row in rows.items()} == {"a": False, "b": False, "c": True}
    assert (rows["a"].emotion, rows["a"].is_confident) == ("joy", False)
