import pytest
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from emotion_udf.errors import InputError
from emotion_udf.ingest.contract import check_contract, contract_problems, needed_columns
from emotion_udf.settings.nightly import ColumnSettings, InputSettings
from tests.helpers.facts import unstated

SETTINGS = InputSettings(
    path="/lake",
    columns=ColumnSettings(id="key", text="body", created_at="at"),
    dimensions={"source": "channel"},
)

GOOD: dict[str, DataType] = {
    "key": StringType(),
    "body": StringType(),
    "at": TimestampType(),
    "channel": StringType(),
}


def check(**types: DataType) -> None:
    check_contract(types, SETTINGS, "lake.feedback")


def test_the_needed_columns_are_those_that_settings_name() -> None:
    assert {column: setting for column, (setting, _) in needed_columns(SETTINGS).items()} == {
        "key": "input.columns.id",
        "body": "input.columns.text",
        "at": "input.columns.created_at",
        "channel": "input.dimensions.source",
    }


@pytest.mark.parametrize(
    ("column", "kinds"),
    [
        ("key", [StringType(), ByteType(), IntegerType(), LongType(), DecimalType(20, 0), BinaryType()]),
        ("body", [StringType()]),
        ("at", [TimestampType(), TimestampNTZType()]),
        ("channel", [StringType(), LongType(), BooleanType(), DateType()]),
    ],
)
def test_a_column_may_have_one_of_some_types(column: str, kinds: list[DataType]) -> None:
    for kind in kinds:
        check(**GOOD | {column: kind})


def test_more_columns_do_not_matter() -> None:
    check(**GOOD, extra=BinaryType())


@pytest.mark.parametrize(
    ("column", "kind", "facts"),
    [
        ("key", DoubleType(), ["'key'", "input.columns.id", "string, an integer", "double"]),
        ("body", BinaryType(), ["'body'", "input.columns.text", "string", "binary"]),
        ("body", LongType(), ["'body'", "input.columns.text", "string", "bigint"]),
        ("at", StringType(), ["'at'", "input.columns.created_at", "timestamp", "string"]),
        ("at", DateType(), ["'at'", "input.columns.created_at", "timestamp", "date"]),
        ("channel", DecimalType(10, 2), ["'channel'", "input.dimensions.source", "string", "decimal(10,2)"]),
    ],
)
def test_another_type_is_named_with_its_setting(column: str, kind: DataType, facts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        check(**GOOD | {column: kind})
    heading, problem, *_ = lines = str(caught.value).splitlines()
    assert "lake.feedback" in heading
    assert unstated(facts, problem) == []
    assert len(lines) == 4


def test_all_problems_are_named_together() -> None:
    with pytest.raises(InputError) as caught:
        check(body=LongType())
    stated = [
        ["lake.feedback"],
        ["'key'", "input.columns.id", "found none"],
        ["'body'", "input.columns.text", "found bigint"],
        ["'at'", "input.columns.created_at", "found none"],
        ["'channel'", "input.dimensions.source", "found none"],
        ["columns found: body bigint"],
        ["[input.columns]", "[input.dimensions]"],
    ]
    lines = str(caught.value).splitlines()
    assert [unstated(facts, line) for facts, line in zip(stated, lines, strict=True)] == [[]] * len(stated)


def test_an_input_without_columns_is_refused() -> None:
    with pytest.raises(InputError, match="columns found: none"):
        check()


def test_a_file_may_lack_its_dimensions_and_nothing_else() -> None:
    assert contract_problems({name: GOOD[name] for name in ("key", "body", "at")}, SETTINGS, True) == []
    assert len(contract_problems({"channel": StringType()}, SETTINGS, True)) == 3


def test_a_column_may_be_a_dimension_and_the_id() -> None:
    settings = SETTINGS.model_copy(update={"dimensions": {"thread": "key"}})
    assert contract_problems(GOOD | {"key": DecimalType(20, 0)}, settings) == []
    assert len(contract_problems({"body": StringType(), "at": TimestampType()}, settings, True)) == 1
