"""The contract of the input: the columns that the job needs, and the types that they may have."""

from collections.abc import Mapping

from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    IntegralType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from emotion_udf.errors import InputError
from emotion_udf.ingest.column_types import type_name
from emotion_udf.settings.nightly import InputSettings

Types = tuple[type[DataType], ...]

# Not floats: two ids beyond 2^53 can be one float, and 7.0 would not be the 7 of other files.
_NAME: Types = (StringType, IntegralType, DecimalType, BinaryType)
_TEXT: Types = (StringType,)
_TIME: Types = (TimestampType, TimestampNTZType)
_DIMENSION: Types = (StringType, IntegralType, BooleanType, DateType)
_MEANING: dict[Types, str] = {
    _NAME: "a string, an integer, a decimal or binary",
    _TEXT: "a string",
    _TIME: "a timestamp",
    _DIMENSION: "a string, an integer, a boolean or a date",
}


def needed_columns(settings: InputSettings) -> dict[str, tuple[str, Types]]:
    """Map each input column that the job reads to the setting that names it and the types it may have."""
    dimensions = {column: (f"input.dimensions.{name}", _DIMENSION) for name, column in settings.dimensions.items()}
    main = _main_columns(settings)
    return main | {column: meaning for column, meaning in dimensions.items() if column not in main}


def _main_columns(settings: InputSettings) -> dict[str, tuple[str, Types]]:
    columns = settings.columns
    return {
        columns.id: ("input.columns.id", _NAME),
        columns.text: ("input.columns.text", _TEXT),
        columns.created_at: ("input.columns.created_at", _TIME),
    }


def contract_problems(
    present: Mapping[str, DataType | str], settings: InputSettings, may_lack_dimensions: bool = False
) -> list[str]:
    """Compare columns with what the settings say of them.

    Args:
        present: The columns' types, or the names of types that Spark cannot read.
        settings: What the columns are called.
        may_lack_dimensions: Whether a missing dimension is none, because it reads as null.

    Returns:
        A sentence for each column that is missing or of a wrong type.
    """
    problems = []
    main = _main_columns(settings)
    for column, (setting, types) in needed_columns(settings).items():
        dtype = present.get(column)
        if dtype is None:
            if not may_lack_dimensions or column in main:
                problems.append(f"expected a column {column!r} ({setting}, {_MEANING[types]}), found none")
        elif not isinstance(dtype, types):
            problems.append(f"expected {column!r} ({setting}) to be {_MEANING[types]}, found {type_name(dtype)}")
    return problems


def contract_error(problems: list[str], present: Mapping[str, DataType | str], place: str) -> InputError:
    """Return the error of an input whose columns have these problems; it names them all."""
    listed = "\n".join(f"  {problem}" for problem in problems)
    found = ", ".join(f"{name} {type_name(dtype)}" for name, dtype in present.items()) or "none"
    return InputError(
        f"the columns of {place} do not meet the contract:\n{listed}\n"
        f"  columns found: {found}\n  name the right columns in [input.columns] and [input.dimensions]"
    )


def check_contract(present: Mapping[str, DataType | str], settings: InputSettings, place: str) -> None:
    """Compare an input's columns with what the settings say of them.

    Raises:
        InputError: Columns are missing or of a wrong type.
    """
    problems = contract_problems(present, settings)
    if problems:
        raise contract_error(problems, present, place)
