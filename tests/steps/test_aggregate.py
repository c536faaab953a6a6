from datetime import date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from emotion_udf.emotions import EMOTIONS
from emotion_udf.schemas import daily_schema, labels_schema
from emotion_udf.steps.aggregate import aggregate

DAY = date(2026, 10, 5)


def labels(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """Labels of `source` with a few columns that matter and others that do not."""
    schema = labels_schema(["source"])
    common = {
        "event_date": DAY,
        "created_at": datetime(2026, 10, 5),
        "source": "tweet",
        "is_confident": True,
        "language": None,
        "is_supported_language": True,
        "token_count": 3,
        "unknown_token_count": 1,
        "is_truncated": False,
        "model_fingerprint": "print",
        "run_id": "run",
    }
    full = []
    for n, row in enumerate(rows):
        emotion = row.get("emotion", "joy")
        scores = {name: 0.75 if name == emotion else 0.05 for name in EMOTIONS}
        full.append(
            common | {"feedback_id": str(n), "text_key": str(n), "emotion": emotion, "confidence": 0.75} | scores | row
        )
    return spark.createDataFrame([tuple(row[f] for f in schema.fieldNames()) for row in full], schema)


def test_all_six_emotions_are_there_and_sum_up(spark: SparkSession) -> None:
    given: list[dict[str, Any]] = [{"emotion": "joy"}, {"emotion": "joy", "is_confident": False}, {"emotion": "fear"}]
    rows = {row.emotion: row for row in aggregate(labels(spark, given), ["source"], "run").collect()}

    assert set(rows) == set(EMOTIONS)
    assert {e: r.feedback_count for e, r in rows.items() if r.feedback_count} == {"joy": 2, "fear": 1}
    assert {e: r.low_confidence_count for e, r in rows.items() if r.low_confidence_count} == {"joy": 1}
    assert {r.total_count for r in rows.values()} == {3}
    assert rows["joy"].share == 2 / 3
    assert rows["joy"].mean_probability == pytest.approx((0.75 + 0.75 + 0.05) / 3, abs=1e-8)
    assert sum(r.share for r in rows.values()) == pytest.approx(1)
    assert sum(r.mean_probability for r in rows.values()) == pytest.approx(1, abs=1e-6)


def test_messages_of_one_text_are_one_distinct_text(spark: SparkSession) -> None:
    given: list[dict[str, Any]] = [
        {"text_key": "a"},
        {"text_key": "a"},
        {"text_key": "a", "source": "mail"},
        {"text_key": "b", "is_supported_language": False, "is_truncated": True},
        {"text_key": "c", "emotion": "fear", "unknown_token_count": 3},
    ]
    rows = aggregate(labels(spark, given), ["source"], "run").collect()
    found = {(row.source, row.emotion): row for row in rows if row.feedback_count}

    counts = {key: (row.feedback_count, row.distinct_text_count) for key, row in found.items()}
    assert counts == {("tweet", "joy"): (3, 2), ("mail", "joy"): (1, 1), ("tweet", "fear"): (1, 1)}
    joy = found["tweet", "joy"]
    assert (joy.foreign_count, joy.truncated_count, joy.token_count, joy.unknown_token_count) == (1, 1, 9, 3)
    assert found["tweet", "fear"].unknown_token_count == 3
    assert all(row.distinct_text_count == row.token_count == 0 for row in rows if not row.feedback_count)


def test_a_dimension_may_have_any_name_that_no_column_has(spark: SparkSession) -> None:
    given = labels(spark, [{}]).withColumnRenamed("source", "emotions")
    (row,) = aggregate(given, ["emotions"], "run").where("emotion = 'joy'").collect()
    assert (row.emotions, row.feedback_count) == ("tweet", 1)


def test_dates_and_dimensions_are_counted_apart_and_null_is_a_value(spark: SparkSession) -> None:
    given: list[dict[str, Any]] = [{}, {"source": None}, {"source": None}, {"event_date": date(2026, 10, 6)}]
    rows = aggregate(labels(spark, given), ["source"], "run").where("emotion = 'joy'").collect()

    assert {(row.event_date.day, row.source): row.total_count for row in rows} == {
        (5, "tweet"): 1,
        (5, None): 2,
        (6, "tweet"): 1,
    }


def test_without_dimensions_a_date_has_six_rows(spark: SparkSession) -> None:
    daily = aggregate(labels(spark, [{}, {"source": "review"}]), [], "run")

    assert daily.columns == daily_schema([]).fieldNames()
    assert daily.count() == 6


def test_no_labels_give_no_rows(spark: SparkSession) -> None:
    assert aggregate(labels(spark, [{}]).where("false"), ["source"], "run").collect() == []


def test_partitioning_and_order_change_no_bit(spark: SparkSession) -> None:
    given = [{"joy": n / 977, "emotion": EMOTIONS[n % 6]} for n in range(500)]
    frame = labels(spark, given)
    one, many = frame.coalesce(1), frame.repartition(7).orderBy("joy", ascending=False)

    def found(of: DataFrame) -> list[Any]:
        return sorted(map(tuple, aggregate(of, ["source"], "run").collect()))

    assert found(one) == found(many)
