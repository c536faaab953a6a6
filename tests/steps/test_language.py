from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from emotion_udf.steps import language
from emotion_udf.steps.language import can_detect, detect_language, is_supported, with_language

pytestmark = pytest.mark.skipif(not can_detect(), reason="pycld2 is not installed: no wheel for this machine")

FOREIGN = {
    "de": "Ich bin heute so traurig, weil mein Paket wieder nicht angekommen ist.",
    "fr": "Je suis très content de ce produit, merci beaucoup!",
    "es": "Estoy muy enojado con el servicio al cliente, nunca más.",
    "it": "Sono davvero felice di questo acquisto, lo consiglio a tutti.",
    "pt": "Estou com muito medo de perder a minha encomenda.",
    "pl": "Jestem bardzo zły na tę firmę, nigdy więcej.",
    "ru": "Я так рад, что всё наконец-то работает",
    "zh": "我今天非常高兴，因为包裹到了",
    "ja": "とても悲しいです、届きませんでした",
    "ko": "오늘 정말 행복해요 감사합니다",
    "ar": "أنا سعيد جدا بهذه الخدمة",
    "hi": "मैं आज बहुत खुश हूँ",
    "el": "Είμαι πολύ χαρούμενος σήμερα",
    "id": "Saya sangat senang dengan layanan ini, terima kasih banyak",
}


@pytest.mark.parametrize(("code", "text"), FOREIGN.items())
def test_another_language_is_told(code: str, text: str) -> None:
    assert detect_language(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "i feel fine today, thank you all so much",
        "the train is late again and i am furious about it #fail @railways https://t.co/x",
    ],
)
def test_english_is_told(text: str) -> None:
    assert detect_language(text) == "en"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "🎉🎉🎉",
        "https://example.com/das-ist-ein-langer-link-in-deutscher-sprache",
        "@ichbinheutesotraurig #weilmeinpaketnichtangekommenist",
        "thankyou",
        "That was so funny",
        "ich liebe es",
        "\x00\x01 \ufffe",
    ],
)
def test_too_little_or_doubtful_text_is_not_told(text: str) -> None:
    assert detect_language(text) in (None, "en")


@given(st.text(max_size=60))
def test_any_text_is_taken(text: str) -> None:
    code = detect_language(text)
    assert code is None or 2 <= len(code) <= 7


def test_english_tweets_are_not_lost(data: Path) -> None:
    texts = pq.read_table(data / "tweets.parquet", columns=["text"])["text"].to_pylist()
    foreign = sum(detect_language(text) not in (None, "en") for text in texts)
    # Read one by one, 37 of the 38 are other languages or mixed with them.
    assert foreign <= 40


def test_languages_are_a_column(spark: SparkSession) -> None:
    texts = spark.createDataFrame(
        [(FOREIGN["de"],), ("i feel fine today, thank you all",), ("hm",), (None,)], "text string"
    )
    found = texts.withColumn("language", with_language(texts.text))
    rows = found.withColumn("good", is_supported(found.language)).collect()
    assert [(row.language, row.good) for row in rows] == [("de", False), ("en", True), (None, True), (None, True)]


def test_without_a_detector_every_text_passes_for_english(monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    monkeypatch.setattr(language, "can_detect", lambda: False)
    assert list(language._languages(pd.Series([FOREIGN["de"], None]))) == [None, None]
