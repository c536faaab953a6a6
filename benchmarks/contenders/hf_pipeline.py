"""A pandas UDF around transformers' pipeline, as most people write it.

With `--best`, texts are sorted by length within an Arrow batch, and the pipeline computes in bf16 where the processor
does. Each worker has one thread, as Spark sets it, in both.
"""

from collections.abc import Iterator

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql.pandas.functions import pandas_udf

from benchmarks.contenders.measurement import Answer, Request, Settings, answer, labels_of
from benchmarks.contenders.pipelines import load_pipeline, score_by_length, to_columns
from benchmarks.contenders.spark_harness import label_with_spark, start_spark
from benchmarks.machine import computes_in_bf16


def run(request: Request) -> Answer:
    """Measure the UDF."""
    spark = start_spark(request.cores)
    model, labels, best = str(request.model), labels_of(request.model), request.best
    batch_size = 32
    dtype = "bfloat16" if best and computes_in_bf16() else "float32"

    def classify(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        classifier = load_pipeline(model, batch_size, dtype)
        for texts in batches:
            listed = texts.tolist()
            scores = score_by_length(classifier, listed) if best else classifier(listed)
            yield pd.DataFrame(to_columns(scores, labels))

    schema = ", ".join(["label string", "score float", *(f"{label} float" for label in labels)])
    classify_udf = pandas_udf(classify, schema)  # type: ignore[call-overload]

    def labelling(rows: DataFrame) -> DataFrame:
        return rows.withColumn("scored", classify_udf("text")).select("id", "scored.*")

    settings: Settings = {"batch_size": batch_size, "dtype": dtype, "sorted_by_length": best, "threads_per_worker": 1}
    return label_with_spark(spark, request, labelling, settings)


if __name__ == "__main__":
    answer(run)
