import hashlib
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.schemas import known_schema
from emotion_udf.steps.score import known_scores, new_texts, text_key, with_text_key
from tests.helpers.messages import DAY


def history(spark: SparkSession, *scores: tuple[str, float, str], day: date = DAY) -> DataFrame:
    """Rows of `text_scores`: a key, its confidence, and the precision that was asked for."""
    made = [
        (name, "joy", value, value, 0.0, 0.0, 0.0, 0.0, 0.0, 3, 0, False, "engine", precision, day)
        for name, value, precision in scores
    ]
    return spark.createDataFrame(made, known_schema())


def messages(spark: SparkSession, *messages: tuple[str, str]) -> DataFrame:
    """Messages with their keys."""
    return spark.createDataFrame(list(messages), "feedback_id string, text_key string")


def test_of_a_text_that_was_scored_twice_the_same_scores_are_taken_always(spark: SparkSession) -> None:
    twice = [("t1", 0.75, "fp32"), ("t1", 0.5, "fp32"), ("t2", 0.5, "fp32")]
    for order in (twice, twice[::-1]):
        found = known_scores(history(spark, *order), messages(spark, ("a", "t1"), ("b", "t1")), "auto", DAY).collect()
        assert [(row.text_key, row.confidence) for row in found] == [("t1", 0.5)]


@pytest.mark.parametrize(("precision", "found"), [("auto", ["t1", "t2"]), ("fp32", ["t1"]), ("bf16", ["t2"])])
def test_scores_of_another_precision_are_not_taken_for_the_one_asked_for(
    spark: SparkSession, precision: Any, found: list[str]
) -> None:
    both = history(spark, ("t1", 0.5, "fp32"), ("t2", 0.5, "bf16"))
    known = known_scores(both, messages(spark, ("a", "t1"), ("b", "t2")), precision, DAY)
    assert sorted(row.text_key for row in known.collect()) == found


def test_scores_of_days_that_are_long_past_are_left_alone(spark: SparkSession) -> None:
    old = history(spark, ("t1", 0.5, "fp32"), day=DAY - timedelta(days=8))
    keys = messages(spark, ("a", "t1"), ("b", "t2"))
    both = old.union(history(spark, ("t2", 0.5, "fp32"), day=DAY - timedelta(days=7)))
    assert [row.text_key for row in known_scores(both, keys, "auto", DAY - timedelta(days=7)).collect()] == ["t2"]


def test_new_texts_are_those_without_scores(spark: SparkSession) -> None:
    texts = spark.createDataFrame([("t1", "x"), ("t2", "y")], "text_key string, text string")
    new = new_texts(texts, history(spark, ("t1", 0.5, "fp32")))
    assert [tuple(row) for row in new.collect()] == [("t2", "y")]


def test_messages_of_one_text_share_a_key_or_each_have_their_own(spark: SparkSession) -> None:
    rows = [("a", "hello", DAY), ("b", "hello", DAY), ("c", "bye", DAY)]
    accepted = spark.createDataFrame(rows, "feedback_id string, text string, event_date date")
    shared = {row.feedback_id: row.text_key for row in with_text_key(accepted, shared=True).collect()}
    own = {row.feedback_id: row.text_key for row in with_text_key(accepted, shared=False).collect()}

    assert shared["a"] == shared["b"] == text_key("hello") == hashlib.sha256(b"hello").hexdigest()[:32]
    assert shared["c"] != shared["a"]
    assert len(set(own.values())) == 3
