from datetime import date
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.schemas import terms_schema
from emotion_udf.steps.terms import terms, with_terms

DAY = date(2026, 10, 5)

TEXTS = {
    "I'm NOT happy with https://t.co/abc customer service, @bob! Call 0800 123 now.": {
        *("happy", "customer", "service", "call"),
        *("not happy", "customer service"),
    },
    "write me at joe.smith@mail.com, JOE@MAIL.COM or www.example.org": {"write"},
    "Don’t like it… great-value product; great value": {
        *("like", "great", "value", "product"),
        *("don't like", "great value", "value product"),
    },
    "state of the art &amp; ready": {"state", "art", "ready"},
    "naïve café": {"naïve", "café", "naïve café"},
    "order A1234x was late\nagain": {"order", "late"},
    "<script>alert(1)</script>": set(),
    "😡😡 :-( ...": set(),
    "dont go": {"go", "dont go"},
    "": set(),
}


def test_words_and_pairs_of_words_are_terms_and_names_and_numbers_are_not(spark: SparkSession) -> None:
    given = spark.createDataFrame([(str(n), text) for n, text in enumerate(TEXTS)], ["text_key", "text"])
    found = {int(row.text_key): row.terms for row in with_terms(given).collect()}

    assert {text: set(found[n]) for n, text in enumerate(TEXTS)} == TEXTS
    assert all(len(set(listed)) == len(listed) for listed in found.values())


def test_words_behind_what_the_model_reads_are_not_counted(spark: SparkSession) -> None:
    given = spark.createDataFrame([("a", "good " * 1_000 + "bad")], ["text_key", "text"])
    (row,) = with_terms(given).collect()
    assert set(row.terms) == {"good", "good good"}


def count(spark: SparkSession, uses: list[dict[str, Any]], texts: dict[str, str], dimensions: list[str]) -> list[Any]:
    """Count the terms of labels that are given by what matters here."""
    columns = ("event_date", "source", "emotion", "text_key", "is_confident")
    common = {"event_date": DAY, "source": "mail", "emotion": "anger", "is_confident": True}
    labels = spark.createDataFrame([tuple((common | use)[name] for name in columns) for use in uses], list(columns))
    found: DataFrame = terms(
        labels, spark.createDataFrame(list(texts.items()), ["text_key", "text"]), dimensions, 2, "r"
    )
    assert found.schema.fieldNames() == terms_schema(dimensions).fieldNames()
    return found.collect()


def test_a_term_is_kept_where_enough_different_texts_share_it(spark: SparkSession) -> None:
    texts = {"a": "late parcel", "b": "parcel lost", "c": "secret words", "d": "parcel found"}
    uses: list[dict[str, Any]] = [
        *({"text_key": key} for key in "aab"),
        *({"text_key": "c"} for _ in range(9)),  # one text that many repeat is still one text
        {"text_key": "d", "emotion": "joy"},
        {"text_key": "d", "is_confident": False},
    ]
    (row,) = count(spark, uses, texts, [])
    assert (row.term, row.emotion, row.feedback_count, row.distinct_text_count) == ("parcel", "anger", 3, 2)
    assert (row.event_date, row.run_id) == (DAY, "r")


@pytest.mark.parametrize(("dimensions", "expected"), [(["source"], [("mail", 2)]), ([], [(None, 4)])])
def test_terms_are_counted_by_the_dimensions_that_are_asked_for(
    spark: SparkSession, dimensions: list[str], expected: list[tuple[str | None, int]]
) -> None:
    texts = {"a": "late parcel", "b": "parcel lost", "c": "my parcel", "d": "that parcel"}
    uses: list[dict[str, Any]] = [
        *({"text_key": key} for key in "ab"),
        {"text_key": "c", "source": None},
        {"text_key": "d", "source": "tweet"},
    ]
    rows = count(spark, uses, texts, dimensions)
    found = [(row.source if dimensions else None, row.feedback_count) for row in rows if row.term == "parcel"]
    assert found == expected
