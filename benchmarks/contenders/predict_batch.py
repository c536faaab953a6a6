"""Spark's own `predict_batch_udf`, in the form of NVIDIA's Spark examples for Hugging Face: batches of 32.

Tokenizer and model are loaded by `make_predict_fn`, which Spark keeps for a worker's life; each batch is tokenised and
padded to its longest text. With `--best`, rows come sorted by length and the model computes in bf16 where the
processor does.
"""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, FloatType

from benchmarks.contenders.measurement import Answer, Request, Settings, answer, labels_of
from benchmarks.contenders.spark_harness import label_with_spark, start_spark
from benchmarks.machine import computes_in_bf16

Predict = Callable[[NDArray[Any]], NDArray[Any]]
"""Texts (B,) -> probabilities (B, labels)."""


def run(request: Request) -> Answer:
    """Measure the UDF."""
    spark = start_spark(request.cores)
    model, labels = str(request.model), labels_of(request.model)
    batch_size = 32
    dtype = "bfloat16" if request.best and computes_in_bf16() else "float32"

    def make_predict_fn() -> Predict:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model)
        classifier = AutoModelForSequenceClassification.from_pretrained(model, dtype=dtype).eval()

        def predict(texts: NDArray[Any]) -> NDArray[Any]:
            encoded = tokenizer(texts.tolist(), padding=True, truncation=True, return_tensors="pt")
            with torch.inference_mode():
                probabilities: NDArray[Any] = classifier(**encoded).logits.float().softmax(dim=1).numpy()
            return probabilities

        return predict

    classify = predict_batch_udf(make_predict_fn, return_type=ArrayType(FloatType()), batch_size=batch_size)
    names = F.array(*(F.lit(label) for label in labels))

    def labelling(rows: DataFrame) -> DataFrame:
        if request.best:
            rows = rows.sortWithinPartitions(F.length("text").desc())
        scored = rows.select("id", classify("text").alias("probabilities"))
        best = F.array_max("probabilities")
        return scored.select(
            "id",
            F.element_at(names, F.array_position("probabilities", best).cast("int")).alias("label"),
            best.alias("score"),
            *(F.col("probabilities")[number].alias(label) for number, label in enumerate(labels)),
        )

    settings: Settings = {
        "batch_size": batch_size,
        "dtype": dtype,
        "sorted_by_length": request.best,
        "threads_per_worker": 1,
    }
    return label_with_spark(spark, request, labelling, settings)


if __name__ == "__main__":
    answer(run)
