"""The job that `benchmarks.cold_start` starts: label one row, and write down when that was done."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.pandas.functions import pandas_udf

from benchmarks.contenders.contract import Settings
from benchmarks.contenders.spark import Labelling, MakeLabelling, emotion_udf, hf_pipeline


def no_model(model: str, best: bool) -> tuple[Labelling, Settings]:  # noqa: ARG001 - it needs neither
    """Label nothing, with a UDF that gives back what it is given: Spark alone."""

    def same(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        yield from batches

    same_udf = pandas_udf(same, "string")  # type: ignore[call-overload]
    return lambda rows: rows.select("id", same_udf("text")), {}


CONTENDERS: Final[dict[str, MakeLabelling]] = {
    "emotion-udf": emotion_udf,
    "hf-pipeline": hf_pipeline,
    "spark": no_model,
}


def main(contender: str, model: str, moment_file: str) -> None:
    """Label one row as one of `CONTENDERS` does, then write the moment, in seconds since the epoch."""
    spark = SparkSession.builder.appName("cold_start").config("spark.ui.showConsoleProgress", "false").getOrCreate()
    # One row in one partition: a second, empty one would start a second worker.
    rows = spark.range(0, 1, 1, 1).selectExpr("id", "concat('i feel rather happy today ', id) AS text")
    labelling, _ = CONTENDERS[contender](model, False)
    labelling(rows).collect()
    Path(moment_file).write_text(str(time.time()), encoding="utf-8")
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
