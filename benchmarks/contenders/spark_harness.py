"""The job that every Spark contender runs, with its own labelling in the middle."""

from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from benchmarks.contenders.measurement import Answer, Request, Settings, measure

Labelling = Callable[[DataFrame], DataFrame]
"""`id` and `text` -> `id`, `label` and the scores that the contender gives."""


def label_with_spark(spark: SparkSession, request: Request, labelling: Labelling, settings: Settings) -> Answer:
    """Measure Parquet -> labels -> Parquet in one session on the request's cores, and end it."""
    _check_parts(spark.read.parquet(str(request.timed)), request.cores)

    def job(rows: Path, output: Path) -> None:
        labelling(spark.read.parquet(str(rows))).write.mode("overwrite").parquet(str(output))

    measured = measure(request, job, settings)
    spark.stop()
    return measured


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


def _check_parts(rows: DataFrame, cores: int) -> None:
    """See that each core gets one file: `repartition` would do so too, but shuffles rows and sorts them by hash."""
    parts = rows.rdd.getNumPartitions()
    if parts != cores:
        raise RuntimeError(f"expected one partition a core, {cores}, found {parts}")
