"""The UDF in a warm Spark session, Parquet to Parquet: what `benchmarks.overhead` and `benchmarks.scaling` time.

with SparkJob(Work(model, data, rows=40_000, cores=2, warm_up_rows=1_000, folder=folder)) as job:
    seconds = job.label()
"""

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.harness import Parser, add_model, add_repeats
from benchmarks.inputs import numbered, read_texts, write_parts
from benchmarks.machine import ROOT


@dataclass(frozen=True)
class Work:
    """What a job labels; small and picklable.

    Attributes:
        model: The model folder.
        data: The Parquet file whose texts are labelled, over and over where it holds too few.
        rows: Rows to label in each job.
        cores: Spark's cores; each gets a file of its own.
        warm_up_rows: Rows that each core labels once before.
        folder: Where input and output go; it is emptied before and removed afterwards.
    """

    model: Path
    data: Path
    rows: int
    cores: int
    warm_up_rows: int
    folder: Path

    def texts(self) -> list[str]:
        """Return the texts of a job."""
        return read_texts(self.data, self.rows)


def add_spark_options(parser: Parser) -> None:
    """Add the options that both benchmarks have, but for the rows and cores."""
    add_model(parser, "bundled")
    add_repeats(parser)
    parser.add_argument("--warm-up", type=int, default=1_000, help="rows that each core labels before")


class SparkJob:
    """A Spark session with the job's own settings, its workers warmed up, and a labelling job in it.

    Args:
        work: What is labelled.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        os.environ |= {
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_SUBMIT_ARGS": f"--master local[{work.cores}] --driver-memory 2g pyspark-shell",
            "SPARK_CONF_DIR": str(ROOT / "conf"),
            "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        }
        # Not at the top: Spark reads the environment when it is loaded.
        from emotion_udf import ClassifierSettings, make_emotion_udf
        from emotion_udf.session import start_session

        self._emotion = make_emotion_udf(ClassifierSettings(model=str(work.model)))
        self._spark = start_session("benchmark")

    def __enter__(self) -> Self:
        shutil.rmtree(self._work.folder, ignore_errors=True)
        texts = self._work.texts()
        warm_up = texts[-self._work.warm_up_rows * self._work.cores :]
        self._timed = self._write(texts, "timed")
        self._label(self._write(warm_up, "warm-up"))
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spark.stop()
        shutil.rmtree(self._work.folder, ignore_errors=True)

    def label(self) -> float:
        """Label all rows and return the seconds it took."""
        return self._label(self._timed)

    def _label(self, rows: Path) -> float:
        started = time.perf_counter()
        read = self._spark.read.parquet(str(rows))
        scored = read.withColumn("scored", self._emotion("text")).select("id", "scored.*")
        scored.write.mode("overwrite").parquet(str(self._work.folder / "labelled"))
        return time.perf_counter() - started

    def _write(self, texts: Sequence[str], name: str) -> Path:
        return write_parts(numbered(texts), self._work.cores, self._work.folder / name)
