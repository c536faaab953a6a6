"""The contract of the input: the columns that the job needs, and the types that they may have."""

from collections.abc import Mapping

from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    IntegralType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from emotion_udf.errors import InputError
from emotion_udf.settings.nightly import InputSettings

Types = tuple[type[DataType], ...]

_NAME: Types = (StringType, IntegralType)
_TEXT: Types = (StringType,)
_TIME: Types = (TimestampType, TimestampNTZType)
_DIMENSION: Types = (StringType, IntegralType, BooleanType, DateType)
_MEANING: dict[Types, str] = {
    _NAME: "a string or an integer",
    _TEXT: "a string",
    _TIME: "a timestamp in micro- or milliseconds",
    _DIMENSION: "a string, an integer, a boolean or a date",
}


def needed_columns(settings: InputSettings) -> dict[str, tuple[str, Types]]:
    """Map each input column that the job reads to the setting that names it and the types it may have."""
    columns = settings.columns
    return {
        columns.id: ("input.columns.id", _NAME),
        columns.text: ("input.columns.text", _TEXT),
        columns.created_at: ("input.columns.created_at", _TIME),
        **{column: (f"input.dimensions.{name}", _DIMENSION) for name, column in settings.dimensions.items()},
    }


def check_contract(
    schema: StructType, settings: InputSettings, place: str, foreign: Mapping[str, str] | None = None
) -> None:
    """Compare an input's columns with what the settings say of them.

    Args:
        schema: The columns that Spark can read.
        settings: What the columns are called.
        place: The input, to name in the message.
        foreign: The types of the columns that Spark cannot read.

    Raises:
        InputError: Columns are missing or of a wrong type; the message names them all.
    """
    present = {field.name: field.dataType.simpleString() for field in schema} | dict(foreign or {})
    problems = []
    for column, (setting, types) in needed_columns(settings).items():
        if column not in present:
            problems.append(f"expected a column {column!r} ({setting}, {_MEANING[types]}), found none")
        elif column not in schema.fieldNames() or not isinstance(schema[column].dataType, types):
            problems.append(f"expected {column!r} ({setting}) to be {_MEANING[types]}, found {present[column]}")
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        found = ", ".join(f"{name} {dtype}" for name, dtype in present.items()) or "none"
        raise InputError(
            f"the columns of {place} do not meet the contract:\n{listed}\n"
            f"  columns found: {found}\n  name the right columns in [input.columns] and [input.dimensions]"
        )
