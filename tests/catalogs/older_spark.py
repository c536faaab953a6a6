"""What the job takes from Spark 4, made of what Spark 3.5 has: there is no jar of Iceberg for Spark 4 on PyPI.

The job itself asks for Spark 4. With these few functions all of a night runs on the older one.
"""

from inspect import signature
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from emotion_udf.tables import catalog


def fill_in() -> None:
    """Add the functions, where this Spark lacks them."""
    added = {"is_valid_utf8": _is_valid_utf8, "make_valid_utf8": _make_valid_utf8}
    for name, function in added.items():
        if not hasattr(F, name):
            setattr(F, name, function)
    if not hasattr(DataFrame, "toArrow"):
        setattr(DataFrame, "toArrow", _to_arrow)  # noqa: B010
    if not hasattr(Column, "try_cast"):
        setattr(Column, "try_cast", Column.cast)  # noqa: B010 (it fails for no value without ANSI mode)
    if "timezone" not in signature(to_arrow_schema).parameters:
        setattr(catalog, "to_arrow_schema", _to_arrow_schema)  # noqa: B010


def _is_valid_utf8(text: str | Column) -> Column:
    given = _column(text).cast("binary")
    return given == F.encode(_make_valid_utf8(text), "UTF-8")


def _make_valid_utf8(text: str | Column) -> Column:
    return F.decode(_column(text).cast("binary"), "UTF-8")


def _column(text: str | Column) -> Column:
    return F.col(text) if isinstance(text, str) else text


def _to_arrow_schema(schema: StructType, timezone: str) -> pa.Schema:  # noqa: ARG001 (it is UTC there)
    return to_arrow_schema(schema)


def _to_arrow(rows: Any) -> pa.Table:
    return pa.Table.from_batches(rows._collect_as_arrow(), to_arrow_schema(rows.schema))
