"""The contenders on Spark: one job, Parquet -> labels -> Parquet, with each one's own labelling in the middle."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from benchmarks.contenders.contract import Answer, Request, Settings, answer, labels_of, time_jobs
from benchmarks.contenders.pipelines import BATCH_SIZE, load_pipeline, settings_of
from benchmarks.contenders.runtimes import RUNTIMES, convert, load_scorer

Labelling = Callable[[DataFrame], DataFrame]
"""`id` and `text` -> `id`, `label` and the scores that the contender gives."""

MakeLabelling = Callable[[str, bool], tuple[Labelling, Settings]]
"""A model folder, and whether to use the best settings -> what labels with it, and how it is set."""


def run(request: Request) -> Answer:
    """Time a contender of `CONTENDERS`."""
    spark = start_spark(request.cores)
    labelling, settings = CONTENDERS[request.contender](request.model, request.best)
    # `repartition` would see to it as well, but shuffles rows and sorts them by hash.
    parts = spark.read.parquet(request.timed).rdd.getNumPartitions()
    if parts != request.cores:
        raise RuntimeError(f"expected one partition a core, {request.cores}, found {parts}")

    def job(rows: str, output: str) -> None:
        label(spark, labelling, rows, output)

    answered = time_jobs(request, job, settings | {"threads_per_worker": 1})
    spark.stop()
    return answered


def start_spark(cores: int) -> SparkSession:
    """Start a local session with Spark's own defaults."""
    builder = SparkSession.builder.master(f"local[{cores}]").config("spark.driver.memory", "2g")
    quiet: dict[str, Any] = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
    session: SparkSession = builder.config(map=quiet).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def label(spark: SparkSession, labelling: Labelling, rows: str, output: str) -> None:
    """Label a folder of Parquet files into another one."""
    labelling(spark.read.parquet(rows)).write.mode("overwrite").parquet(output)


def emotion_udf(model: str, best: bool) -> tuple[Labelling, Settings]:  # noqa: ARG001 - its defaults are its best
    """Label with this project's UDF and its default settings, in the project's own environment."""
    from emotion_udf import EMOTIONS, ClassifierSettings, make_emotion_udf

    settings = ClassifierSettings(model=model)
    emotion = make_emotion_udf(settings)
    columns = ["scored.emotion AS label", *(f"scored.{name}" for name in EMOTIONS)]

    def labelling(rows: DataFrame) -> DataFrame:
        return rows.withColumn("scored", emotion("text")).selectExpr("id", *columns)

    return labelling, settings.model_dump(exclude={"model", "revision", "labels"})


def hf_pipeline(model: str, best: bool) -> tuple[Labelling, Settings]:
    """Label with a pandas UDF around transformers' pipeline, as most people write it.

    With the best settings, rows come sorted by length and the pipeline computes in bf16 where the processor does.
    """
    settings = settings_of(best)
    classify_udf = make_udf(partial(load_pipeline, model, settings["dtype"]), labels_of(model))
    return label_by(classify_udf, best), settings


def predict_batch_udf(model: str, best: bool) -> tuple[Labelling, Settings]:
    """Label with Spark's own `predict_batch_udf`, in the form of NVIDIA's Spark examples for Hugging Face.

    `make_predict_fn` loads tokenizer and model once in a worker's life; each batch is padded to its longest text. With
    the best settings, rows come sorted by length and the model computes in bf16 where the processor does.
    """
    from pyspark.ml.functions import predict_batch_udf as to_udf
    from pyspark.sql.types import ArrayType, FloatType

    settings = settings_of(best)

    def make_predict_fn() -> Callable[[Any], Any]:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model)
        classifier = AutoModelForSequenceClassification.from_pretrained(model, dtype=settings["dtype"]).eval()

        def predict(texts: Any) -> Any:  # (B,) -> (B, labels)
            encoded = tokenizer(texts.tolist(), padding=True, truncation=True, return_tensors="pt")
            with torch.inference_mode():
                return classifier(**encoded).logits.float().softmax(dim=1).numpy()

        return predict

    classify = to_udf(make_predict_fn, return_type=ArrayType(FloatType()), batch_size=BATCH_SIZE)
    labels = labels_of(model)
    place = F.array_position("probabilities", F.array_max("probabilities"))
    label_column = F.element_at(F.array(*map(F.lit, labels)), place.cast("int")).alias("label")

    def labelling(rows: DataFrame) -> DataFrame:
        scored = by_length(rows, best).select("id", classify("text").alias("probabilities"))
        columns = [F.col("probabilities")[number].alias(name) for number, name in enumerate(labels)]
        return scored.select("id", label_column, *columns)

    return labelling, settings


def spark_infer_ai(model: str, best: bool) -> tuple[Labelling, Settings]:
    """Label with spark-infer-ai as its README does: `AI(config).sentiment(column)`, which gives the label alone.

    Its `classify` is zero-shot, a pass through an NLI model for each label. With the best settings, rows come sorted
    by length, which is all that its API leaves to a caller beside the batch size.
    """
    from spark_ai import AI
    from spark_ai.config import AIConfig

    config = AIConfig(model_name=model)
    ai = AI(config)
    settings = {"batch_size": config.batch_size, "dtype": "float32", "sorted_by_length": best}

    def labelling(rows: DataFrame) -> DataFrame:
        return by_length(rows, best).withColumn("label", ai.sentiment("text")).select("id", "label")

    return labelling, settings


def runtime(model: str, best: bool, name: str) -> tuple[Labelling, Settings]:  # noqa: ARG001 - none is documented
    """Label with a pandas UDF around one of `RUNTIMES`."""
    classify_udf = make_udf(partial(load_scorer, name, model, convert(name, model)), labels_of(model))
    return label_by(classify_udf), {"precision": RUNTIMES[name].precision, "tokens_per_batch": RUNTIMES[name].tokens}


def make_udf(load: Callable[[], Callable[[list[str]], Any]], labels: Sequence[str]) -> Any:
    """Return a pandas UDF that gives probabilities and label; `load` loads what gives probabilities, in a worker."""

    def classify(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        classifier = load()
        for texts in batches:
            scored = pd.DataFrame(classifier(texts.tolist()), columns=labels)
            yield scored.assign(label=scored.idxmax(axis=1))

    schema = ", ".join([*(f"{label} float" for label in labels), "label string"])
    return pandas_udf(classify, schema)  # type: ignore[call-overload]


def label_by(classify_udf: Any, sort: bool = False) -> Labelling:
    """Return the labelling by a UDF of `make_udf`."""
    return lambda rows: by_length(rows, sort).select("id", classify_udf("text").alias("_")).select("id", "_.*")


def by_length(rows: DataFrame, wanted: bool) -> DataFrame:
    """Sort each partition by the length of its texts where wanted: batches hold less padding."""
    return rows.sortWithinPartitions(F.length("text").desc()) if wanted else rows


CONTENDERS: Final[dict[str, MakeLabelling]] = {
    "emotion-udf": emotion_udf,
    "hf-pipeline": hf_pipeline,
    "predict-batch-udf": predict_batch_udf,
    "spark-infer-ai": spark_infer_ai,
    **{name: partial(runtime, name=name) for name in RUNTIMES},
}

if __name__ == "__main__":
    answer(run)
