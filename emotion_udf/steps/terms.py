"""Labels and their texts -> `emotion_terms`: words and pairs of words, by the emotion of the messages that use them.

Only terms that several different texts share are kept, so that no text can be read back. What names a person or a
thing by its form (links, @names, e-mail addresses, anything with a digit) is no word, and no pair reaches over it, over
a stop word, or over the end of a sentence.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Final

from pyspark.ml.feature import StopWordsRemover
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from emotion_udf.schemas import terms_schema

# About what the model reads; a label says nothing of what comes later.
_READ_CHARS: Final = 3_000
# What stands where something was cut out; no word, and no pair goes over it.
_GAP: Final = "|"
_CUT_OUT: Final = (
    r"(?i)\S*(?:@|://|www\.|\d|\p{L}\.\p{L})\S*",  # links, @names, addresses, numbers
    r"&#?\w+;",  # HTML entities
    r"[.,;:!?…()\[\]{}\"“”«»|/\\\r\n]+|\s[-–—]+\s",  # the ends of sentences and of their parts
)
_WORD: Final = r"\p{L}[\p{L}\p{M}]+(?:'\p{L}+)?|\|"
# They turn an emotion round, so pairs with them say something; people often leave the apostrophe out.
_WITH_APOSTROPHE: Final = ("can't", "couldn't", "didn't", "doesn't", "don't", "isn't", "wasn't", "won't", "wouldn't")
_NEGATIONS: Final = frozenset(
    {"no", "not", "never", "cannot", *_WITH_APOSTROPHE, *(word.replace("'", "") for word in _WITH_APOSTROPHE)}
)
# Stop words as tweets have them, which Spark's list lacks.
_SHORT_FORMS: Final = frozenset({"im", "ive", "youre", "theyre", "thats", "ll", "ve", "re", "amp", "rt", "via"})


def terms(labels: DataFrame, texts: DataFrame, dimensions: Sequence[str], min_texts: int, run_id: str) -> DataFrame:
    """Count the messages and the different texts that use a term, by date, dimensions and emotion.

    Messages whose label is not confident are left out: their words are not those of an emotion.

    Args:
        labels: Rows of `emotion_labels`.
        texts: Their distinct texts by `text_key`.
        dimensions: Dimensions of the labels, at most two.
        min_texts: The fewest different texts that share a term that is kept.
        run_id: The run.
    """
    group = ["event_date", *dimensions, "emotion"]
    uses = labels.where("is_confident").groupBy(*group, "text_key").agg(F.count("*").alias("_messages"))
    found = with_terms(texts).select("text_key", F.explode("terms").alias("term"))
    return (
        uses.join(found, on="text_key", how="inner")
        .groupBy(*group, "term")
        .agg(F.sum("_messages").alias("feedback_count"), F.count("*").alias("distinct_text_count"))
        .where(F.col("distinct_text_count") >= min_texts)
        .withColumn("run_id", F.lit(run_id))
        .select(*terms_schema(dimensions).fieldNames())
    )


def with_terms(texts: DataFrame) -> DataFrame:
    """Return the `text_key` of each text with its `terms`, each once, in lower case."""
    stop_words = {*StopWordsRemover.loadDefaultStopWords("english"), *_SHORT_FORMS, _GAP} - _NEGATIONS
    read = F.lower(_cut(F.substring("text", 1, _READ_CHARS)))
    found = F.regexp_extract_all(read, F.lit(f"({_WORD})"))
    # Null where a stop word or a gap was, and so is a pair with it.
    words = texts.select(
        "text_key", F.transform(found, lambda word: F.when(~word.isin(sorted(stop_words)), word)).alias("words")
    )
    alone = F.filter("words", lambda word: ~word.isin(sorted(_NEGATIONS)))
    following = F.slice("words", 2, _READ_CHARS)
    pairs = F.zip_with("words", following, lambda word, next_word: F.concat(word, F.lit(" "), next_word))
    return words.select("text_key", F.array_distinct(F.concat(alone, F.array_compact(pairs))).alias("terms"))


def _cut(text: Column) -> Column:
    """Put a gap wherever something is no word."""
    plain = F.translate(text, "’‘", "''")
    return reduce(lambda cut, pattern: F.regexp_replace(cut, pattern, f" {_GAP} "), _CUT_OUT, plain)
