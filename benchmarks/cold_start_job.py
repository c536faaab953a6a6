"""The job that `benchmarks.cold_start` starts: label one row, print it, then say what the start was spent on.

The top of this file needs the standard library only, for what it imports would count as everybody's time.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from benchmarks.machine import versions

FIRST_ROW: Final = "first row: "
DETAILS: Final = "details: "
"""How the two lines begin that the job prints."""

_INTERPRETER_READY = time.time()


def run_job(udf_name: str, model: str) -> None:
    """Label one row, print it, then print versions and the moments up to it, in seconds since the epoch.

    Args:
        udf_name: What labels the row, of `UDFS`.
        model: A model folder.
    """
    make_udf = UDFS[udf_name](model)
    imported = time.time()
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName("cold_start").config("spark.ui.showConsoleProgress", "false").getOrCreate()
    session = time.time()
    udf = make_udf()
    # One row in one partition: a second, empty one would start a second worker.
    rows = spark.range(0, 1, 1, 1).selectExpr("concat('i feel rather happy today ', id) AS text")
    scored = rows.select(udf("text").alias("scored")).collect()
    print(f"{FIRST_ROW}{scored[0]}", flush=True)
    stamps = {"jvm": _INTERPRETER_READY, "imports": imported, "session": session, "first_row": time.time()}
    print(DETAILS + json.dumps({"stamps": stamps, "versions": versions()}), flush=True)
    spark.stop()


def _emotion_udf(model: str) -> Callable[[], Any]:
    from emotion_udf import ClassifierSettings, make_emotion_udf

    return lambda: make_emotion_udf(ClassifierSettings(model=model))


def _pipeline_udf(model: str) -> Callable[[], Any]:
    """Make the UDF that the documentation of transformers and Spark leads to."""
    import pandas as pd
    from pyspark.sql.pandas.functions import pandas_udf

    def classify(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        from transformers import pipeline

        classifier = pipeline("text-classification", model=model, device="cpu", truncation=True)
        for texts in batches:
            yield pd.DataFrame(classifier(texts.tolist()))

    return lambda: pandas_udf(classify, "label string, score float")  # type: ignore[call-overload]


def _identity_udf(model: str) -> Callable[[], Any]:  # noqa: ARG001 - it needs none
    import pandas as pd
    from pyspark.sql.pandas.functions import pandas_udf

    def same(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        yield from batches

    return lambda: pandas_udf(same, "string")  # type: ignore[call-overload]


UDFS: Final[dict[str, Callable[[str], Callable[[], Any]]]] = {
    "emotion-udf": _emotion_udf,
    "hf-pipeline": _pipeline_udf,
    "spark": _identity_udf,
}
"""Imports what the driver needs for a model, and returns what makes the UDF; `spark` labels nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the job that the command line asks for."""
    parser = argparse.ArgumentParser(description="Label one row; python -m benchmarks.cold_start starts this.")
    parser.add_argument("--udf", choices=list(UDFS), required=True)
    parser.add_argument("--model", required=True, help="a model folder")
    options = parser.parse_args(arguments)
    run_job(options.udf, options.model)
    return 0


if __name__ == "__main__":
    sys.exit(main())
