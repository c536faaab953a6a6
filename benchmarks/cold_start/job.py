"""The job of every contender: label one row, print it, then say what the start was spent on.

The top of this file needs the standard library only, for what it imports would count as every contender's time, and
the peers' environment has neither this project nor rich.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from benchmarks.cold_start.contenders import Udf
from benchmarks.cold_start.stamps import Details, process_started
from benchmarks.machine import versions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_INTERPRETER_READY = time.time()

FIRST_ROW: Final = "first row: "
DETAILS: Final = "details: "
"""How the two lines begin that a job writes."""


def run_job(udf_name: Udf, model: str, stamps_file: Path) -> None:
    """Label one row, print it, then the details.

    Args:
        udf_name: What labels the row.
        model: A model folder, or `bundled`.
        stamps_file: Where a traced worker leaves its stamps.
    """
    stamps = {"driver": _INTERPRETER_READY}

    def stamp(name: str) -> None:
        stamps[name] = time.time()

    make_udf = _udf_maker(udf_name, model, stamps_file)
    stamp("imported")
    spark = _start_spark()
    stamp("session")
    udf = make_udf()
    stamp("made")
    # One row in one partition: a second, empty one would start a second worker.
    rows = spark.range(0, 1, 1, 1).selectExpr("concat('i feel rather happy today ', id) AS text")
    scored = rows.select(udf("text").alias("scored")).collect()
    stamp("collected")
    print(f"{FIRST_ROW}{scored[0]}", flush=True)
    if stamps_file.is_file():
        stamps |= json.loads(stamps_file.read_text(encoding="utf-8"))
    print(DETAILS + json.dumps(Details(stamps=stamps, versions=versions())), flush=True)
    spark.stop()


def _start_spark() -> "SparkSession":
    from pyspark.sql import SparkSession

    return SparkSession.builder.appName("cold_start").config("spark.ui.showConsoleProgress", "false").getOrCreate()


def _udf_maker(udf_name: Udf, model: str, stamps_file: Path) -> Callable[[], Any]:
    """Import what the contender's driver needs, and return what makes its UDF."""
    if udf_name == "hf-pipeline":
        return lambda: _pipeline_udf(model)
    if udf_name == "spark":
        return _identity_udf
    from emotion_udf import ClassifierSettings, make_emotion_udf

    if udf_name == "emotion-udf-traced":
        return lambda: _traced(make_emotion_udf(ClassifierSettings(model=model)), stamps_file)
    return lambda: make_emotion_udf(ClassifierSettings(model=model))


def _pipeline_udf(model: str) -> Any:
    """Make the UDF that the documentation of transformers and Spark leads to."""
    import pandas as pd
    from pyspark.sql.pandas.functions import pandas_udf

    def classify(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        from transformers import pipeline

        classifier = pipeline("text-classification", model=model, device="cpu", truncation=True)
        for texts in batches:
            yield pd.DataFrame(classifier(texts.tolist()))

    return pandas_udf(classify, "label string, score float")  # type: ignore[call-overload]


def _identity_udf() -> Any:
    import pandas as pd
    from pyspark.sql.pandas.functions import pandas_udf

    def same(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        yield from batches

    return pandas_udf(same, "string")  # type: ignore[call-overload]


def _traced(emotion: Any, stamps_file: Path) -> Any:
    """Wrap this project's UDF so that its worker notes when it got where."""
    import pandas as pd
    from pyspark.sql.pandas.functions import pandas_udf

    score = emotion.func

    def trace(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        stamps = {
            "daemon": process_started(Path(f"/proc/{os.getppid()}/stat")),
            "worker": process_started(Path("/proc/self/stat")),
            "called": time.time(),
        }
        from emotion_udf.classifier import classifier

        stamps["classifier_imported"] = time.time()
        load = classifier.load_classifier

        def load_and_note(*arguments: Any) -> Any:
            loaded = load(*arguments)
            stamps["loaded"] = time.time()
            return loaded

        classifier.load_classifier = load_and_note  # type: ignore[assignment]
        scored = list(score(batches))
        stamps["scored"] = time.time()
        stamps_file.write_text(json.dumps(stamps), encoding="utf-8")
        yield from scored

    return pandas_udf(trace, emotion.returnType)  # type: ignore[call-overload]


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the job that the command line asks for."""
    parser = argparse.ArgumentParser(description="Label one row; python -m benchmarks.cold_start starts this.")
    parser.add_argument("--udf", choices=get_args(Udf), required=True)
    parser.add_argument("--model", default="bundled", help="bundled or a model folder")
    parser.add_argument("--stamps", type=Path, required=True, help="where a traced worker leaves its stamps")
    options = parser.parse_args(arguments)
    run_job(options.udf, options.model, options.stamps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
