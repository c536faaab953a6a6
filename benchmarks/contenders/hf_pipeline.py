"""A pandas UDF around transformers' pipeline, as most people write it.

With the best settings, texts are sorted by length within an Arrow batch, and the pipeline computes in bf16 where the
processor does.
"""

from collections.abc import Iterator

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql.pandas.functions import pandas_udf

from benchmarks.contenders.contract import Answer, Request, answer, labels_of
from benchmarks.contenders.pipelines import load_pipeline, score, settings_of, to_columns
from benchmarks.contenders.spark import label_with_spark, start_spark


def run(request: Request) -> Answer:
    """Time the UDF."""
    spark = start_spark(request.cores)
    model = request.model
    labels = labels_of(model)
    best = request.best
    settings = settings_of(best)

    def classify(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        classifier = load_pipeline(model, str(settings["dtype"]))
        for texts in batches:
            yield pd.DataFrame(to_columns(score(classifier, texts.tolist(), by_length=best), labels))

    schema = ", ".join(["label string", "score float", *(f"{label} float" for label in labels)])
    classify_udf = pandas_udf(classify, schema)  # type: ignore[call-overload]

    def labelling(rows: DataFrame) -> DataFrame:
        return rows.withColumn("scored", classify_udf("text")).select("id", "scored.*")

    return label_with_spark(spark, request, labelling, settings)


if __name__ == "__main__":
    answer(run)
