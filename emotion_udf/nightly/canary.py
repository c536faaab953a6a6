"""The canary: recorded sentences go through the very scorer of the night, before its messages do.

They also are what the Python workers are started for: while the input is read, these import torch and load the model.
"""

from collections.abc import Callable

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emotion_udf.classifier.artifact import Artifact
from emotion_udf.classifier.recorded import read_recorded
from emotion_udf.emotions import EMOTIONS
from emotion_udf.gates import Canary
from emotion_udf.probes import canary_sentences
from emotion_udf.workers.report import TaskReport, read_reports


def score_canary(
    spark: SparkSession, artifact: Artifact, score: Callable[[DataFrame], DataFrame], tasks: int | None
) -> tuple[Canary, list[TaskReport]]:
    """Score the canary sentences, and compare them with their emotions and with what the artifact recorded.

    Args:
        spark: The session.
        artifact: The model.
        score: Scores texts by it, as `nightly.scorer` does.
        tasks: Score in no more tasks; None for one a core.

    Returns:
        What came of it, and what each task has done: workers are started for these.

    Raises:
        ModelError: The artifact's record is damaged, or belongs to other weights.
    """
    sentences = canary_sentences()
    recorded = read_recorded(artifact.folder, artifact.weights_sha256)
    texts = F.split(F.lit("\n".join(text for text, _ in sentences)), "\n")
    # A range has a partition for each core.
    numbered = spark.range(len(sentences)).select(F.col("id").alias("number"), F.get(texts, F.col("id")).alias("text"))
    gathered = numbered.coalesce(tasks) if tasks else numbered
    rows = sorted(score(gathered).collect(), key=lambda row: row.number)
    probabilities = np.array([[row[name] for name in EMOTIONS] for row in rows], np.float32)
    wrong = sum(row.emotion != expected for row, (_, expected) in zip(rows, sentences, strict=True))
    change = None if recorded is None else float(np.abs(probabilities - recorded).max())
    return Canary(wrong / len(sentences), change), read_reports(row.work for row in rows)
