"""The same sentences through Spark and the pandas UDF, as a night scores them."""

import time

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import GateError
from emotion_udf.session import parallelism, start_session
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.udf import make_emotion_udf

# Company in a batch moves a probability by rounding, at most.
_TOLERANCE = 1e-4


class ThroughSpark(BaseModel):
    """A comparison of Spark's predictions with the classifier's own.

    Attributes:
        different_labels: Sentences with another label.
        largest_difference: Of any probability.
        samples_per_s: Sentences a second, the start of the Python workers included.
    """

    different_labels: int
    largest_difference: float
    samples_per_s: float

    def refusal(self) -> GateError | None:
        """Return an error when a label differs, or a probability by more than rounding."""
        if not self.different_labels and self.largest_difference <= _TOLERANCE:
            return None
        return GateError(
            f"expected the same predictions through Spark, found {self.different_labels} other labels and a "
            f"probability that differs by {self.largest_difference:.2g}; see that the workers run this installation"
        )


def score_through_spark(
    texts: list[str], settings: ClassifierSettings, debug: bool
) -> tuple[NDArray[np.float32], float]:
    """Return the probabilities (N, 6) of N texts in their order, and the seconds it took."""
    emotion = make_emotion_udf(settings)
    spark = start_session("evaluate_classifier", debug)
    try:
        frame = spark.createDataFrame(list(enumerate(texts)), "row long, text string").repartition(parallelism(spark))
        started = time.perf_counter()
        scored = frame.select("row", emotion("text").alias("score"))
        rows = scored.select("row", *(f"score.{name}" for name in EMOTIONS)).collect()
        seconds = time.perf_counter() - started
    finally:
        spark.stop()
    return np.array([row[1:] for row in sorted(rows)], dtype=np.float32), seconds


def compare(direct: NDArray[np.float32], spark: NDArray[np.float32], seconds: float) -> ThroughSpark:
    """Compare Spark's probabilities (N, 6) with the classifier's own."""
    return ThroughSpark(
        different_labels=int((direct.argmax(axis=1) != spark.argmax(axis=1)).sum()),
        largest_difference=float(np.abs(direct - spark).max()),
        samples_per_s=len(direct) / seconds,
    )
