import pytest
from pyspark.sql.types import StructType

from emotion_udf import schemas
from emotion_udf.emotions import EMOTIONS
from emotion_udf.udf import SCORE_TYPE


def emotion_columns(schema: StructType) -> list[str]:
    return [name for name in schema.fieldNames() if name in EMOTIONS]


@pytest.mark.parametrize("schema", [schemas.labels_schema([]), schemas.scores_schema(), SCORE_TYPE])
def test_the_probabilities_stand_in_the_order_of_the_emotions(schema: StructType) -> None:
    assert emotion_columns(schema) == list(EMOTIONS)


def test_a_scored_text_has_what_the_udf_returns() -> None:
    scores = schemas.scores_schema()
    assert scores.fieldNames() == ["text_key", *SCORE_TYPE.fieldNames(), "precision"]
    assert [field.dataType for field in scores][1:-1] == [field.dataType for field in SCORE_TYPE]


@pytest.mark.parametrize("schema_of", [schemas.checked_schema, schemas.labels_schema, schemas.daily_schema])
def test_dimensions_are_optional_strings_in_the_order_of_the_settings(schema_of) -> None:  # type: ignore[no-untyped-def]
    schema = schema_of(["product", "source"])
    names = schema.fieldNames()
    assert names.index("source") == names.index("product") + 1
    assert schema["product"].simpleString() == "product:string"
    assert schema["product"].nullable


@pytest.mark.parametrize(
    "schema",
    [
        schemas.labels_schema([], keep_text=True),
        schemas.daily_schema([]),
        schemas.quarantine_schema(),
        schemas.runs_schema(),
    ],
)
def test_every_table_has_its_date_and_run(schema: StructType) -> None:
    assert schema.fieldNames()[0] == "event_date"
    assert not schema["event_date"].nullable
    assert not schema["run_id"].nullable
    assert len(set(schema.fieldNames())) == len(schema)


def test_the_text_is_in_the_labels_only_when_it_is_kept() -> None:
    assert "text" not in schemas.labels_schema([]).fieldNames()
    assert "text" in schemas.labels_schema([], keep_text=True).fieldNames()


def test_a_dimension_can_have_no_name_that_a_frame_or_table_has_already() -> None:
    for schema in (
        schemas.checked_schema([]),
        schemas.scores_schema(),
        schemas.labels_schema([], keep_text=True),
        schemas.daily_schema([]),
    ):
        assert set(schema.fieldNames()) <= schemas.RESERVED_COLUMNS
    assert {"emotion", "text", "raw", "reasons", "share", *EMOTIONS} <= schemas.RESERVED_COLUMNS
    assert not {"source", "product"} & schemas.RESERVED_COLUMNS


def test_reasons_are_words_for_the_table() -> None:
    assert [str(reason) for reason in schemas.Reason] == [
        "missing_id",
        "missing_created_at",
        "missing_text",
        "blank_text",
        "text_too_long",
        "value_too_long",
        "value_out_of_range",
        "invalid_utf8",
        "duplicate_id",
        "model_error",
        "unreadable_file",
        "schema_mismatch",
        "unsupported_codec",
        "checksum_mismatch",
        "permission_denied",
        "unreadable_name",
        "missing_file",
    ]
