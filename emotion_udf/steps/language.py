"""Text -> its language, where that can be told: the classifier knows English only.

Tweets are short and oddly spelt, and a detector takes many for Scots or Danish. So a language is told only where pycld2
calls itself sure of enough text, and never one that English slang is mistaken for.
"""

import re
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

import pandas as pd
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import StringType
from pyspark.sql.udf import UserDefinedFunction

SUPPORTED: Final = "en"

# What is no word of a language: links, @names, #tags, HTML entities.
_NOISE: Final = re.compile(r"https?://\S+|www\.\S+|[@#]\w+|&#?\w+;")
# Bytes of text from which on another language is believed; other scripts show at once what they are not.
_LEAST_BYTES: Final = 40
_LEAST_BYTES_OF_OTHER_SCRIPT: Final = 12
_LEAST_PERCENT: Final = 90
_LAST_LATIN_LETTER: Final = "\u024f"
# Scots, Latin, Klingon and constructed languages: people do not write feedback in them, they write English like this.
_MISTAKEN: Final = frozenset({"sco", "la", "ia", "ie", "eo", "vo", "tlh", "un"})


def with_language(text: Column) -> Column:
    """Return the ISO 639 code of each text's language, null where it cannot be told or pycld2 is not installed."""
    # Made here: which kind of UDF it is depends on the session, which a Connect server may hold.
    languages: UserDefinedFunction = pandas_udf(_languages, StringType())  # type: ignore[call-overload]
    return languages(text)


def is_supported(language: Column) -> Column:
    """Return whether the classifier can read a text, as far as its language is known."""
    return F.coalesce(language, F.lit(SUPPORTED)) == SUPPORTED


def detect_language(text: str) -> str | None:
    """Return the ISO 639 code of a text's language, None where it cannot be told."""
    cld2 = _cld2()
    words = _NOISE.sub(" ", text)
    try:
        reliable, found_bytes, details = cld2.detect(words)
    except cld2.error:  # characters that it takes for none
        return None
    _, code, percent, _ = details[0]
    if not reliable or code in _MISTAKEN:
        return None
    if code == SUPPORTED:
        return SUPPORTED
    least = _LEAST_BYTES if _is_latin(words) else _LEAST_BYTES_OF_OTHER_SCRIPT
    return str(code) if found_bytes >= least and percent >= _LEAST_PERCENT else None


def _is_latin(text: str) -> bool:
    letters = [letter for letter in text if letter.isalpha()]
    return 2 * sum(letter <= _LAST_LATIN_LETTER for letter in letters) > len(letters)


@cache
def _cld2() -> Any:
    import pycld2  # absent where there is no wheel for the machine

    return pycld2


def can_detect() -> bool:
    """Tell whether pycld2 is installed here."""
    return find_spec("pycld2") is not None


def _languages(texts: pd.Series) -> pd.Series:
    if not can_detect():
        return pd.Series([None] * len(texts), dtype=object)
    return pd.Series([None if pd.isna(text) else detect_language(text) for text in texts], dtype=object)
