"""Raw rows -> the same rows, with pseudonyms in place of ids and authors.

It is the first step after reading: nothing that is staged, labelled or quarantined has the values themselves. A
pseudonym is an HMAC, so it is always the same for a value and a key, and cannot be guessed without the key.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StructType
from pyspark.sql.udf import UserDefinedFunction

from emotion_udf.errors import InputError
from emotion_udf.ingest.inventory import Inventory
from emotion_udf.ingest.read import MOST_NAME_CHARS
from emotion_udf.settings.nightly import InputSettings
from emotion_udf.settings.pseudonym_key import read_key

# 128 bits: two of 10^12 values share a pseudonym with a probability of 10^-15.
_DIGITS: Final = 32
_MARK_DIGITS: Final = 8
_NOT_UTF8: Final = b"\xff"


@dataclass(frozen=True)
class Pseudonyms:
    """A key, and the columns whose values it replaces.

    Attributes:
        columns: Names of columns of the input, in lower case.
        key: The key; it is in no text that describes this.
    """

    columns: frozenset[str]
    key: bytes = field(repr=False)

    def of(self, value: bytes) -> str:
        """Return the pseudonym of a value, 32 hex digits of its HMAC-SHA-256."""
        return hmac.digest(self.key, value, hashlib.sha256).hex()[:_DIGITS]

    @property
    def mark(self) -> str:
        """Eight hex digits, by which another key or other columns show; they tell nothing of the key."""
        return self.of("\n".join(["emotion_udf", *sorted(self.columns)]).encode())[:_MARK_DIGITS]

    def has(self, column: str) -> bool:
        """Tell whether the values of an input column are replaced; as in Spark, its case does not matter."""
        return column.lower() in self.columns


def read_pseudonyms(settings: InputSettings) -> Pseudonyms | None:
    """Read the key where the settings ask for pseudonyms, None where they do not.

    Raises:
        UsageError: There is no key, or it is too short.
    """
    if not settings.pseudonymise:
        return None
    return Pseudonyms(frozenset(map(str.lower, settings.pseudonymise)), read_key(settings))


def pseudonymise(rows: DataFrame, settings: InputSettings, pseudonyms: Pseudonyms | None) -> DataFrame:
    """Replace ids, dimensions and columns of `raw`; null and blank values, values too long or not UTF-8 stay such.

    Args:
        rows: Rows of `ingest.read.RawRows`.
        settings: What the input's columns are called.
        pseudonyms: What to replace; None for nothing.

    Raises:
        InputError: The input has no column of a name that the settings list.
    """
    if pseudonyms is None:
        return rows
    raw = rows.schema["raw"].dataType
    assert isinstance(raw, StructType)  # noqa: S101 (RawRows says so)
    _require_columns(raw.fieldNames(), settings, pseudonyms)
    columns = {"feedback_id": settings.columns.id, **settings.dimensions}
    replaced = {name: _replaced(F.col(name), pseudonyms) for name, of in columns.items() if pseudonyms.has(of)}
    whole = [
        _replaced(F.col("raw").getField(name), pseudonyms).alias(name)
        if pseudonyms.has(name)
        else F.col("raw").getField(name).alias(name)
        for name in raw.fieldNames()
    ]
    return rows.withColumns({**replaced, "raw": F.struct(*whole)})


def require_hidden(inventory: Inventory, pseudonyms: Pseudonyms | None) -> None:
    """Check that no folder is named for a value that is replaced: the names of files stand in tables and logs.

    Raises:
        InputError: One is.
    """
    keys = {key for footer in inventory.footers for key in footer.file.keys}
    shown = sorted(key for key in keys if pseudonyms and pseudonyms.has(key))
    if shown:
        raise InputError(
            f"expected the values of {', '.join(shown)} (input.pseudonymise) in files alone, found folders that are "
            "named for them; write the input without these partitions"
        )


def _require_columns(present: Sequence[str], settings: InputSettings, pseudonyms: Pseudonyms) -> None:
    known = {name.lower() for name in (*present, settings.columns.id, *settings.dimensions.values())}
    missing = sorted(pseudonyms.columns - known)
    if missing:
        raise InputError(
            f"expected the columns {', '.join(missing)} (input.pseudonymise) in the input, found "
            f"{', '.join(sorted(known))}; nothing would be replaced: correct the names"
        )


def _replaced(value: Column, pseudonyms: Pseudonyms) -> Column:
    """Return the pseudonyms of a column, of whatever type, as strings."""
    text = value.cast("string")
    hidden = _hmac(pseudonyms)(text.cast("binary"))
    return (
        F.when(text.isNull() | (F.trim(text) == ""), text)
        .when(~F.is_valid_utf8(text), F.lit(_NOT_UTF8).cast("string"))
        .when(F.length(text) > MOST_NAME_CHARS, F.rpad(hidden, MOST_NAME_CHARS + 1, "…"))
        .otherwise(hidden)
    )


def _hmac(pseudonyms: Pseudonyms) -> UserDefinedFunction:
    # A function, and no expression of Spark's: what Spark computes itself it also writes down, literals included, in
    # plans, event logs and pages. It takes bytes, because a string that is not UTF-8 would end the worker.
    def pseudonym(values: pd.Series) -> pd.Series:
        return values.map(pseudonyms.of, na_action="ignore")

    udf: UserDefinedFunction = pandas_udf(pseudonym, "string")  # type: ignore[call-overload]
    return udf
