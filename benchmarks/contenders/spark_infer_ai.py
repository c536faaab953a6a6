"""spark-infer-ai as its README uses it: `AI(config).sentiment(column)`, which gives the label alone.

`sentiment` is its way to a text-classification model of one's own; its `classify` is zero-shot, a pass through an NLI
model for each label. With the best settings, rows come sorted by length, which is all that its API leaves to a caller
beside the batch size.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from spark_ai import AI
from spark_ai.config import AIConfig

from benchmarks.contenders.contract import Answer, Request, Settings, answer
from benchmarks.contenders.spark import label_with_spark, start_spark


def run(request: Request) -> Answer:
    """Time the column that `AI.sentiment` makes."""
    spark = start_spark(request.cores)
    config = AIConfig(model_name=request.model)
    ai = AI(config)

    def labelling(rows: DataFrame) -> DataFrame:
        if request.best:
            rows = rows.sortWithinPartitions(F.length("text").desc())
        return rows.withColumn("label", ai.sentiment("text")).select("id", "label")

    settings: Settings = {
        "batch_size": config.batch_size,
        "dtype": "float32",
        "sorted_by_length": request.best,
    }
    return label_with_spark(spark, request, labelling, settings)


if __name__ == "__main__":
    answer(run)
