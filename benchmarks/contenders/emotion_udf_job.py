"""This project's UDF with its default settings. Runs in the project's own environment."""

from pyspark.sql import DataFrame

from benchmarks.contenders.contract import Answer, Request, answer
from benchmarks.contenders.spark import label_with_spark, start_spark
from emotion_udf import EMOTIONS, ClassifierSettings, make_emotion_udf


def run(request: Request) -> Answer:
    """Time the UDF."""
    spark = start_spark(request.cores)
    settings = ClassifierSettings(model=request.model)
    emotion = make_emotion_udf(settings)

    def labelling(rows: DataFrame) -> DataFrame:
        scored = rows.withColumn("scored", emotion("text"))
        scores = [f"scored.{name}" for name in EMOTIONS]
        return scored.selectExpr("id", "scored.emotion AS label", "scored.confidence AS score", *scores)

    return label_with_spark(spark, request, labelling, settings.model_dump(exclude={"model", "revision", "labels"}))


if __name__ == "__main__":
    answer(run)
