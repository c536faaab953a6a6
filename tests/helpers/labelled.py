"""A release of labels that a test has made up, without Spark: daily numbers are counted from them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import to_arrow_schema

from emotion_udf.emotions import EMOTIONS
from emotion_udf.schemas import DAILY, LABELS, QUARANTINE, daily_schema, labels_schema, quarantine_schema
from emotion_udf.steps.score import text_key
from emotion_udf.tables.delta_warehouse import DeltaWarehouse
from emotion_udf.tables.warehouse import Commit, Release

DIMENSIONS = ["source", "product"]
MODEL = "0" * 32

Row = dict[str, Any]


def label_of(day: date, feedback_id: str, emotion: str, text: str, **other: Any) -> Row:
    """Make a row of `emotion_labels`."""
    confidence = other.get("confidence", 0.75)
    rest = (1 - confidence) / (len(EMOTIONS) - 1)
    return {
        "event_date": day,
        "feedback_id": feedback_id,
        "created_at": datetime.combine(day, time(12), UTC),
        "source": "tweet",
        "product": "Kettle One",
        "emotion": emotion,
        "confidence": confidence,
        **{name: confidence if name == emotion else rest for name in EMOTIONS},
        "is_confident": confidence >= 0.8,
        "language": "en",
        "is_supported_language": True,
        "token_count": len(text.split()) + 2,
        "unknown_token_count": 0,
        "is_truncated": False,
        "text_key": text_key(text),
        "model_fingerprint": MODEL,
    } | other


def daily_of(labels: Sequence[Row], dimensions: Sequence[str] = DIMENSIONS) -> list[Row]:
    """Count labels by date, dimensions and emotion, as `emotion_daily` has them."""
    names = ("event_date", *dimensions)
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in labels:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return [
        dict(zip(names, key, strict=True)) | _daily_row(emotion, group)
        for key, group in groups.items()
        for emotion in EMOTIONS
    ]


def _daily_row(emotion: str, group: Sequence[Row]) -> Row:
    own = [row for row in group if row["emotion"] == emotion]
    return {
        "emotion": emotion,
        "feedback_count": len(own),
        "share": len(own) / len(group),
        "mean_probability": sum(row[emotion] for row in group) / len(group),
        "low_confidence_count": sum(not row["is_confident"] for row in own),
        "truncated_count": sum(row["is_truncated"] for row in own),
        "foreign_count": sum(not row["is_supported_language"] for row in own),
        "distinct_text_count": len({row["text_key"] for row in own}),
        "token_count": sum(row["token_count"] for row in own),
        "unknown_token_count": sum(row["unknown_token_count"] for row in own),
        "total_count": len(group),
    }


def publish_labels(
    warehouse: DeltaWarehouse,
    labels: Sequence[Row],
    run_id: str = "run-1",
    dimensions: Sequence[str] = DIMENSIONS,
    empty: Sequence[date] = (),
) -> Release:
    """Publish labels and their daily numbers as a night does, and dates without any."""
    days = sorted({row["event_date"] for row in labels})
    schemas = {LABELS: labels_schema(dimensions), DAILY: daily_schema(dimensions), QUARANTINE: quarantine_schema()}
    for table, rows in {LABELS: labels, DAILY: daily_of(labels, dimensions)}.items():
        arrow = to_arrow_schema(schemas[table], timezone="UTC")
        arrow = pa.schema([field for field in arrow if field.name != "event_date"])
        for day in days:
            folder = Path(warehouse.data_folder(table, run_id).path) / f"event_date={day}"
            folder.mkdir(parents=True)
            of_day = [row | {"run_id": run_id} for row in rows if row["event_date"] == day]
            pq.write_table(pa.Table.from_pylist(of_day, schema=arrow), folder / "part.parquet")
    return warehouse.publish(schemas, Commit(run_id, [*days, *empty]), warehouse.version(LABELS))
