"""Spark's own `predict_batch_udf`, in the form of NVIDIA's Spark examples for Hugging Face: batches of 32.

Tokenizer and model are loaded by `make_predict_fn`, which Spark keeps for a worker's life; each batch is tokenised and
padded to its longest text. With the best settings, rows come sorted by length and the model computes in bf16 where the
processor does.
"""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from pyspark.ml.functions import predict_batch_udf
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, FloatType

from benchmarks.contenders.contract import Answer, Request, answer, labels_of
from benchmarks.contenders.pipelines import BATCH_SIZE, settings_of
from benchmarks.contenders.spark import label_with_spark, start_spark

Predict = Callable[[NDArray[Any]], NDArray[Any]]
"""Texts (B,) -> probabilities (B, labels)."""


def run(request: Request) -> Answer:
    """Time the UDF."""
    spark = start_spark(request.cores)
    labels = labels_of(request.model)
    settings = settings_of(request.best)
    make_predict_fn = predict_fn_maker(request.model, str(settings["dtype"]))
    classify = predict_batch_udf(make_predict_fn, return_type=ArrayType(FloatType()), batch_size=BATCH_SIZE)
    names = F.array(*(F.lit(label) for label in labels))

    def labelling(rows: DataFrame) -> DataFrame:
        if request.best:
            rows = rows.sortWithinPartitions(F.length("text").desc())
        scored = rows.select("id", classify("text").alias("probabilities"))
        highest = F.array_max("probabilities")
        return scored.select(
            "id",
            F.element_at(names, F.array_position("probabilities", highest).cast("int")).alias("label"),
            highest.alias("score"),
            *(F.col("probabilities")[number].alias(label) for number, label in enumerate(labels)),
        )

    return label_with_spark(spark, request, labelling, settings)


def predict_fn_maker(model: str, dtype: str) -> Callable[[], Predict]:
    """Return what Spark calls once in each worker to load the model, which computes in `dtype`."""

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

    return make_predict_fn


if __name__ == "__main__":
    answer(run)
