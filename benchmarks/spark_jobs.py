"""What `benchmarks.scaling` and `benchmarks.overhead` share: one request, its input, a warm job on Spark, and options.

    with SparkJob(request) as job:
        seconds = job.label(folder)

Each request is measured in a process of its own (`in_a_process`), so that Spark and its workers are that request's
alone. Nothing here is run by itself.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import BUILD, TINY_NOTE, BenchmarkError, default_data, find_model, write_parts
from benchmarks.machine import ROOT, write_result

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Request:
    """One measurement.

    Args:
        model: The model folder.
        data: The Parquet file whose `text` column is labelled.
        rows: Rows to label in each job.
        warm_up_rows: Rows that each core labels once before.
        cores: Spark's cores.
        repeats: Jobs to time.
        folder: Where input and output go; it is removed at the end.
    """

    model: str
    data: Path
    rows: int
    warm_up_rows: int
    cores: int
    repeats: int
    folder: Path


# ---- input


def cycle(texts: pa.ChunkedArray, rows: int, first: int = 0) -> pa.Table:
    """Return `rows` rows of `id`, which is unique, and `text`, from the text `first` on and round and round."""
    numbers = np.arange(first, first + rows)
    return pa.table({"id": pa.array(numbers), "text": texts.take(pa.array(numbers % len(texts)))})


def text_column(data: Path) -> pa.ChunkedArray:
    """Read the column `text`.

    Raises:
        BenchmarkError: There is no such file.
    """
    if not data.is_file():
        raise BenchmarkError(f"expected messages in {data}, found no such file; name one with --data")
    return pq.read_table(data, columns=["text"])["text"].combine_chunks()


def write_input(request: Request) -> tuple[Path, Path]:
    """Write what is timed and what warms up, one file a core.

    Args:
        request: What is measured; its folder is emptied before.

    Returns:
        The folder of the timed rows, and that of the rows to warm up with.

    Raises:
        BenchmarkError: There is no such data.
    """
    shutil.rmtree(request.folder, ignore_errors=True)
    texts = text_column(request.data)
    warm_up = min(request.rows, request.warm_up_rows * request.cores)
    return (
        write_parts(cycle(texts, request.rows), request.cores, request.folder / "timed"),
        write_parts(cycle(texts, warm_up, request.rows), request.cores, request.folder / "warm-up"),
    )


# ---- Spark


def in_a_process(measure: Callable[[Request], ResultT], request: Request) -> ResultT:
    """Measure in a new process, whose Spark and workers end with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, request).result()


class SparkJob:
    """A session of the job's own settings, and a labelling job in it.

    Args:
        request: What is measured.
    """

    def __init__(self, request: Request) -> None:
        os.environ |= {
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_SUBMIT_ARGS": f"--master local[{request.cores}] --driver-memory 2g pyspark-shell",
            "SPARK_CONF_DIR": str(ROOT / "conf"),
            "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        }
        # Loaded here: Spark reads the environment, and a benchmark's own process needs no Spark.
        from emotion_udf import ClassifierSettings, make_emotion_udf
        from emotion_udf.session import start_session

        self._emotion = make_emotion_udf(ClassifierSettings(model=request.model))
        self._output = str(request.folder / "labelled")
        self._spark = start_session("benchmark")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spark.stop()

    def label(self, rows: Path) -> float:
        """Label a folder of Parquet files and return the seconds it took."""
        started = time.perf_counter()
        read = self._spark.read.parquet(str(rows))
        scored = read.withColumn("scored", self._emotion("text")).select("id", "scored.*")
        scored.write.mode("overwrite").parquet(self._output)
        return time.perf_counter() - started


# ---- command line


def read_options(
    arguments: Sequence[str] | None, name: str, description: str, rows: Sequence[int]
) -> argparse.Namespace:
    """Read the command line of a benchmark of jobs on Spark.

    Args:
        arguments: The command line; None for this process's own.
        name: The benchmark's: its folder and its result are named for it.
        description: What it measures.
        rows: What `--rows` is by default.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rows", type=whole_numbers, default=list(rows), metavar="N,N,…")
    parser.add_argument("--cores", type=whole_numbers, default=[len(os.sched_getaffinity(0))], metavar="N,N,…")
    parser.add_argument("--model", default="tiny", help="tiny, bundled, base or a model folder")
    parser.add_argument("--repeats", type=int, default=3, help="jobs to time; the median counts")
    parser.add_argument("--warm-up", type=int, default=1_000, metavar="N", help="rows that each core labels before")
    parser.add_argument("--data", type=Path, default=default_data(), help="a Parquet file with the column text")
    parser.add_argument("--work", type=Path, default=BUILD / name, help="a folder for input and output; it is emptied")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / f"{name}.json")
    return parser.parse_args(arguments)


def whole_numbers(text: str) -> list[int]:
    """Read `10000,100000`."""
    return [int(number) for number in text.split(",")]


def requests_of(options: argparse.Namespace) -> list[Request]:
    """Return a request for each number of cores and each number of rows.

    Args:
        options: What `read_options` read.

    Raises:
        BenchmarkError: There is no such model.
    """
    model = str(find_model(options.model))
    return [
        Request(model, options.data.resolve(), rows, options.warm_up, cores, options.repeats, options.work.resolve())
        for cores in options.cores
        for rows in options.rows
    ]


def tell(options: argparse.Namespace, measured: dict[str, Any], table: Table) -> None:
    """Write the result and print it.

    Args:
        options: What `read_options` read.
        measured: What the result file holds beside the model and the rows that warm up.
        table: The same for the terminal.
    """
    about: dict[str, Any] = {"model": options.model, "warm_up_rows_per_core": options.warm_up}
    if options.model == "tiny":
        about["note"] = TINY_NOTE
    write_result(options.out, about | measured)
    console = Console()
    console.print(table)
    if "note" in about:
        console.print(about["note"])
