"""The columns of every table and of the frames between the steps; each step ends in the `select` of its contract."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from emotion_udf.emotions import EMOTIONS

LABELS: Final = "emotion_labels"
DAILY: Final = "emotion_daily"
TERMS: Final = "emotion_terms"
QUARANTINE: Final = "quarantine"
RUNS: Final = "runs"
TEXT_SCORES: Final = "text_scores"
RELEASES: Final = "releases"
AUDITS: Final = "audits"
AUDIT_SAMPLES: Final = "audit_samples"

PARTITION: Final = "event_date"
"""The column that every table of nights is partitioned by."""


class Reason(StrEnum):
    """The reasons for which a row or a file is in quarantine."""

    MISSING_ID = "missing_id"
    MISSING_CREATED_AT = "missing_created_at"
    MISSING_TEXT = "missing_text"
    BLANK_TEXT = "blank_text"
    TEXT_TOO_LONG = "text_too_long"
    VALUE_TOO_LONG = "value_too_long"
    VALUE_OUT_OF_RANGE = "value_out_of_range"
    INVALID_UTF8 = "invalid_utf8"
    DUPLICATE_ID = "duplicate_id"
    MODEL_ERROR = "model_error"
    # Of whole files:
    UNREADABLE_FILE = "unreadable_file"
    SCHEMA_MISMATCH = "schema_mismatch"
    UNSUPPORTED_CODEC = "unsupported_codec"
    CHECKSUM_MISMATCH = "checksum_mismatch"
    PERMISSION_DENIED = "permission_denied"
    UNREADABLE_NAME = "unreadable_name"
    MISSING_FILE = "missing_file"


def _required(name: str, dtype: DataType) -> StructField:
    return StructField(name, dtype, nullable=False)


def _dimensions(names: Sequence[str]) -> list[StructField]:
    return [StructField(name, StringType()) for name in names]


_PROBABILITIES = [_required(emotion, FloatType()) for emotion in EMOTIONS]


def checked_schema(dimensions: Sequence[str]) -> StructType:
    """A row of the window after validation, staged with its text; `reasons` is empty for an accepted row."""
    return StructType(
        [
            StructField("feedback_id", StringType()),
            StructField("text", StringType()),
            StructField("created_at", TimestampType()),
            *_dimensions(dimensions),
            _required("event_date", DateType()),
            StructField("reasons", ArrayType(StringType(), containsNull=False)),
            StructField("raw", StringType()),
            StructField("file", StringType()),
        ]
    )


def scores_schema() -> StructType:
    """A distinct text's scores, written before anything is derived from them.

    `precision` is what the settings asked for, `engine` what scored the text, in words for people.
    """
    return StructType(
        [
            StructField("text_key", StringType()),
            StructField("emotion", StringType()),
            StructField("confidence", FloatType()),
            *(StructField(emotion, FloatType()) for emotion in EMOTIONS),
            StructField("token_count", IntegerType()),
            StructField("unknown_token_count", IntegerType()),  # null in rows of earlier versions
            StructField("is_truncated", BooleanType()),
            StructField("engine", StringType()),
            StructField("precision", StringType()),
        ]
    )


def known_schema() -> StructType:
    """A text's scores as nights find them in `text_scores`, with the last day of the window that they were made for."""
    return StructType([*scores_schema(), StructField("event_date", DateType())])


def text_scores_schema() -> StructType:
    """`text_scores`: a row is one distinct text as one model scored it, for later nights to use again."""
    return StructType(
        [
            *known_schema(),
            StructField("run_id", StringType()),
            StructField("model_fingerprint", StringType()),
        ]
    )


def labels_schema(dimensions: Sequence[str], keep_text: bool = False) -> StructType:
    """`emotion_labels`: a row is one message."""
    return StructType(
        [
            _required("event_date", DateType()),
            _required("feedback_id", StringType()),
            _required("created_at", TimestampType()),
            *_dimensions(dimensions),
            *([StructField("text", StringType())] if keep_text else []),
            _required("emotion", StringType()),
            _required("confidence", FloatType()),
            *_PROBABILITIES,
            _required("is_confident", BooleanType()),
            StructField("language", StringType()),
            StructField("is_supported_language", BooleanType()),  # null in rows of earlier versions
            _required("token_count", IntegerType()),
            StructField("unknown_token_count", IntegerType()),  # null in rows of earlier versions
            _required("is_truncated", BooleanType()),
            StructField("text_key", StringType()),  # null in rows of earlier versions
            _required("model_fingerprint", StringType()),
            _required("run_id", StringType()),
        ]
    )


def daily_schema(dimensions: Sequence[str]) -> StructType:
    """`emotion_daily`: a row is one date, one combination of dimensions, one emotion; all six are always there."""
    return StructType(
        [
            _required("event_date", DateType()),
            *_dimensions(dimensions),
            _required("emotion", StringType()),
            _required("feedback_count", LongType()),
            _required("share", DoubleType()),
            _required("mean_probability", DoubleType()),
            _required("low_confidence_count", LongType()),
            # The next five are null in rows of earlier versions.
            StructField("truncated_count", LongType()),
            StructField("foreign_count", LongType()),
            StructField("distinct_text_count", LongType()),
            StructField("token_count", LongType()),
            StructField("unknown_token_count", LongType()),
            _required("total_count", LongType()),
            _required("run_id", StringType()),
        ]
    )


def terms_schema(dimensions: Sequence[str]) -> StructType:
    """`emotion_terms`: a row is one date × dimensions × emotion × term, which several texts use."""
    return StructType(
        [
            _required("event_date", DateType()),
            *_dimensions(dimensions),
            _required("emotion", StringType()),
            _required("term", StringType()),
            _required("feedback_count", LongType()),
            _required("distinct_text_count", LongType()),
            _required("run_id", StringType()),
        ]
    )


def quarantine_schema() -> StructType:
    """`quarantine`: a row is one refused message, or one refused file where `raw` is null."""
    return StructType(
        [
            _required("event_date", DateType()),
            StructField("feedback_id", StringType()),
            StructField("created_at", TimestampType()),
            _required("reasons", ArrayType(StringType(), containsNull=False)),
            StructField("raw", StringType()),
            StructField("file", StringType()),
            _required("run_id", StringType()),
        ]
    )


def runs_schema() -> StructType:
    """`runs`: a row is one run, published or not."""
    text, count, when = StringType(), LongType(), TimestampType()
    gate = StructType(
        [
            _required("name", text),
            _required("passed", BooleanType()),
            StructField("value", DoubleType()),  # null in rows of earlier versions, which kept a sentence
            StructField("limit", DoubleType()),
            StructField("forced", BooleanType()),
        ]
    )
    host = StructType(
        [
            StructField("host", text),
            StructField("workers", IntegerType()),
            StructField("most_at_once", IntegerType()),
            StructField("model_loads", IntegerType()),
            StructField("model_load_seconds", DoubleType()),
            StructField("slowest_load_seconds", DoubleType()),
            StructField("slowest_opening_seconds", DoubleType()),
            StructField("tasks", IntegerType()),
            StructField("tried_again", IntegerType()),
            StructField("tokens", count),
            StructField("seconds", DoubleType()),
            StructField("slowest_task_seconds", DoubleType()),
            StructField("slowest_task_tokens", count),
            StructField("engines", ArrayType(text)),
        ]
    )
    return StructType(
        [
            _required("event_date", DateType()),
            _required("run_id", text),
            _required("from_date", DateType()),
            _required("to_date", DateType()),
            _required("timezone", text),
            _required("started_at", when),
            _required("finished_at", when),
            _required("outcome", text),
            _required("exit_code", IntegerType()),
            StructField("error", text),
            _required("input", text),
            _required("input_files", ArrayType(text, containsNull=False)),
            _required("input_bytes", count),
            _required("refused_files", count),
            _required("rows_read", count),
            _required("rows_quarantined", count),
            _required("distinct_texts", count),
            StructField("reused_texts", count),
            _required("rows_labelled", count),
            _required("model", text),
            StructField("model_revision", text),
            StructField("model_fingerprint", text),
            StructField("weights_sha256", text),
            StructField("model_card", text),
            StructField("engines", ArrayType(text, containsNull=False)),
            # The next six are null in rows of earlier versions, and of runs that scored nothing.
            StructField("tokens", count),
            StructField("tokens_per_s", DoubleType()),
            StructField("wasted_token_share", DoubleType()),
            StructField("model_loads", IntegerType()),
            StructField("model_load_seconds", DoubleType()),
            StructField("hosts", ArrayType(host)),
            _required("settings_digest", text),
            _required("versions", MapType(text, text, valueContainsNull=False)),
            _required("seconds", MapType(text, DoubleType(), valueContainsNull=False)),
            _required("rows_per_s", DoubleType()),
            _required("gates", ArrayType(gate, containsNull=False)),
        ]
    )


def releases_schema() -> StructType:
    """`releases`: exactly one row, which names the version of every table that readers see."""
    return StructType(
        [
            _required("release", LongType()),
            _required("run_id", StringType()),
            _required("released_at", TimestampType()),
            _required("versions", MapType(StringType(), LongType(), valueContainsNull=False)),
        ]
    )


def catalog_releases_schema() -> StructType:
    """`releases` of a catalog: a row is one release; the last one that has a date says whose rows of it count.

    `versions` names the snapshots of tables that can be read at one, such as Iceberg's.
    """
    dates = StructField("dates", ArrayType(DateType(), containsNull=False), nullable=False)
    return StructType([*releases_schema(), dates])


def audit_samples_schema() -> StructType:
    """`audit_samples`: a row is one message that was drawn for people to read, with the label that the model gave."""
    return StructType([*_drawn(), _required("number", IntegerType()), _required("drawn_at", TimestampType())])


def audits_schema() -> StructType:
    """`audits`: a row is one message of a sample, with the emotion that a person gave it."""
    human = [_required("human_emotion", StringType()), _required("model_fingerprint", StringType())]
    label = [field for field in _drawn() if field.name != "model_fingerprint"]
    return StructType([*label, *human, _required("recorded_at", TimestampType())])


def _drawn() -> list[StructField]:
    text, day = StringType(), DateType()
    return [
        _required("sample_id", text),
        _required("from_date", day),
        _required("to_date", day),
        _required("event_date", day),
        _required("feedback_id", text),
        _required("emotion", text),
        _required("confidence", FloatType()),
        _required("stratum", text),
        _required("stratum_count", LongType()),
        _required("model_fingerprint", text),
    ]


RESERVED_COLUMNS: Final = frozenset(
    field.name
    for schema in (
        checked_schema([]),
        scores_schema(),
        labels_schema([], keep_text=True),
        daily_schema([]),
        terms_schema([]),
    )
    for field in schema
)
"""Names that a dimension cannot have."""
