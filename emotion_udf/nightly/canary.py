"""The canary: recorded sentences go through the very UDF of the night, before its messages do."""

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql.udf import UserDefinedFunction

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.classifier.recorded import read_recorded
from emotion_udf.emotions import EMOTIONS
from emotion_udf.gates import Canary
from emotion_udf.probes import canary_sentences


def score_canary(spark: SparkSession, artifact: Artifact, emotion: UserDefinedFunction) -> Canary:
    """Score the canary sentences, and compare them with their emotions and with what the artifact recorded.

    Raises:
        ModelError: The artifact's record is damaged, or belongs to other weights.
    """
    sentences = canary_sentences()
    recorded = read_recorded(artifact.folder, artifact.weights_sha256)
    numbered = spark.createDataFrame(list(enumerate(text for text, _ in sentences)), "number int, text string")
    scored = numbered.coalesce(1).select("number", emotion("text").alias("score")).select("number", "score.*")
    rows = sorted(scored.collect(), key=lambda row: row.number)
    probabilities = np.array([[row[name] for name in EMOTIONS] for row in rows], np.float32)
    wrong = sum(row.emotion != expected for row, (_, expected) in zip(rows, sentences, strict=True))
    change = None if recorded is None else float(np.abs(probabilities - recorded).max())
    return Canary(wrong / len(sentences), change)
