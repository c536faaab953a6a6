"""The job that every Spark contender runs, with its own labelling in the middle."""

from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from benchmarks.contenders.contract import Answer, Request, Settings, time_jobs

Labelling = Callable[[DataFrame], DataFrame]
"""`id` and `text` -> `id`, `label` and the scores that the contender gives."""


def start_spark(cores: int) -> SparkSession:
    """Start a local session with Spark's own defaults: Arrow batches of 10,000 rows, Python workers kept."""
    session: SparkSession = (
        SparkSession.builder.master(f"local[{cores}]")
        .appName("throughput")
        .config("spark.driver.memory", "2g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def label_with_spark(spark: SparkSession, request: Request, labelling: Labelling, settings: Settings) -> Answer:
    """Time Parquet -> labels -> Parquet in one session on the request's cores, and end it."""
    # `repartition` would see to it as well, but shuffles rows and sorts them by hash.
    parts = spark.read.parquet(request.timed).rdd.getNumPartitions()
    if parts != request.cores:
        raise RuntimeError(f"expected one partition a core, {request.cores}, found {parts}")

    def job(rows: Path, output: Path) -> None:
        labelling(spark.read.parquet(str(rows))).write.mode("overwrite").parquet(str(output))

    answered = time_jobs(request, job, settings | {"threads_per_worker": 1})
    spark.stop()
    return answered
