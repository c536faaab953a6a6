"""Scores without a model: every text is joy, so that a night costs what its steps around the model cost."""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emotion_udf.emotions import EMOTIONS
from emotion_udf.udf import REPORTING_TYPE


def constant_scores(*_: Any, **__: Any) -> Any:
    """Take the place of `scorer_of`: return what gives each text the same scores."""
    values: dict[str, Any] = dict.fromkeys(REPORTING_TYPE.fieldNames(), 0) | dict.fromkeys(EMOTIONS, 0.02)
    values |= {"emotion": "joy", "confidence": 0.9, "joy": 0.9, "token_count": 3, "engine": "constant", "work": None}

    def score(texts: DataFrame) -> DataFrame:
        key, text = texts.columns
        known = F.col(text).isNotNull()
        scores = ((field, F.lit(values[field.name]).cast(field.dataType)) for field in REPORTING_TYPE)
        return texts.select(key, *(F.when(known, value).alias(field.name) for field, value in scores))

    return score
