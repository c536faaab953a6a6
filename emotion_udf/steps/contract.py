"""What the job needs of its input's columns."""

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
from emotion_udf.settings import InputSettings

Kinds = tuple[type[DataType], ...]

_NAME: Kinds = (StringType, IntegralType)
_TEXT: Kinds = (StringType,)
_TIME: Kinds = (TimestampType, TimestampNTZType)
_DIMENSION: Kinds = (StringType, IntegralType, BooleanType, DateType)
_MEANING: dict[Kinds, str] = {
    _NAME: "a string or an integer",
    _TEXT: "a string",
    _TIME: "a timestamp in micro- or milliseconds",
    _DIMENSION: "a string, an integer, a boolean or a date",
}


def needed_columns(settings: InputSettings) -> dict[str, tuple[str, Kinds]]:
    """Map each input column that the job reads to the setting that names it and the types it may have."""
    columns = settings.columns
    return {
        columns.id: ("input.columns.id", _NAME),
        columns.text: ("input.columns.text", _TEXT),
        columns.created_at: ("input.columns.created_at", _TIME),
        **{column: (f"input.dimensions.{name}", _DIMENSION) for name, column in settings.dimensions.items()},
    }


def check_contract(schema: StructType, settings: InputSettings, place: str) -> None:
    """Compare an input's columns with what the settings say of them.

    Raises:
        InputError: Columns are missing or of a wrong type; the message names them all.
    """
    problems = []
    for column, (setting, kinds) in needed_columns(settings).items():
        if column not in schema.fieldNames():
            problems.append(f"expected a column {column!r} ({setting}, {_MEANING[kinds]}), found none")
        elif not isinstance(schema[column].dataType, kinds):
            kind = schema[column].dataType.simpleString()
            problems.append(f"expected {column!r} ({setting}) to be {_MEANING[kinds]}, found {kind}")
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        found = ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in schema) or "none"
        raise InputError(
            f"the columns of {place} do not meet the contract:\n{listed}\n"
            f"  columns found: {found}\n  name the right columns in [input.columns] and [input.dimensions]"
        )
