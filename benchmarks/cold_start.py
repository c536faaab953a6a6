"""From spark-submit to the first scored row: this project's UDF, a UDF around transformers' pipeline, and Spark alone.

    python -m benchmarks.cold_start --repeats 3 --out benchmarks/results/cold_start.json

Every contender is this very file as a Spark job of one row. Processes are new, files are not: a round that does not
count puts them into the page cache. `spark` labels nothing: a pandas UDF that returns what it is given.

The top of this file needs the standard library only, for what it imports would count as every contender's time, and
the peers' environment has neither this project nor rich.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypedDict

from benchmarks.machine import ROOT, versions, write_result
from benchmarks.processes import end

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from rich.table import Table

_INTERPRETER_READY = time.time()

OURS: Final = "emotion-udf"
TRACED: Final = "emotion-udf-traced"
PIPELINE: Final = "hf-pipeline"
SPARK: Final = "spark"
CONTENDERS: Final = (OURS, PIPELINE, SPARK, TRACED)
GOAL: Final = 0.5
"""This project's seconds as a share of the pipeline's, at most."""

PHASES: Final = {
    "spark-submit and its JVM": "driver",
    "imports of the driver": "imported",
    "Spark session": "session",
    "UDF made, model folder checked": "made",
    "query planned, Python daemon started": "daemon",
    "daemon's imports, worker forked": "worker",
    "worker's imports, first rows received": "called",
    "imports of torch and the classifier": "classifier_imported",
    "model loaded": "loaded",
    "first forward pass": "scored",
    "row back at the driver": "collected",
}
"""What the seconds up to each stamp were spent on, in their order."""

_FIRST_ROW = "first row: "
_DETAILS = "details: "
_UNSET = ("SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "PYTHONHOME", "OMP_NUM_THREADS")


class Details(TypedDict):
    """What a job says after its first row.

    Args:
        stamps: Seconds since the epoch, by the names in `PHASES`; those of the worker only where it is traced.
        versions: Of Python and of the packages that it ran with.
    """

    stamps: dict[str, float]
    versions: dict[str, str]


@dataclass
class Starts:
    """The starts of one contender.

    Args:
        seconds: From the start of spark-submit to the first row on its output, each time.
        phases: What those were spent on, each time, as far as the job says.
        versions: Of Python and of the packages that it ran with.
    """

    seconds: list[float] = field(default_factory=list)
    phases: list[dict[str, float]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)


# ---- the job


def run_job(contender: str, model: str, stamps_file: Path) -> None:
    """Be a contender: label one row, print it, then the details.

    Args:
        contender: One of `CONTENDERS`.
        model: A model folder, or `bundled`.
        stamps_file: Where a traced worker leaves its stamps.
    """
    stamps = {"driver": _INTERPRETER_READY}

    def stamp(name: str) -> None:
        stamps[name] = time.time()

    make_udf = _udf_maker(contender, model, stamps_file)
    stamp("imported")
    spark = _start_spark()
    stamp("session")
    udf = make_udf()
    stamp("made")
    # One row in one partition: a second, empty one would start a second worker.
    rows = spark.range(0, 1, 1, 1).selectExpr("concat('i feel rather happy today ', id) AS text")
    scored = rows.select(udf("text").alias("scored")).collect()
    stamp("collected")
    print(f"{_FIRST_ROW}{scored[0]}", flush=True)
    if stamps_file.is_file():
        stamps |= json.loads(stamps_file.read_text(encoding="utf-8"))
    print(_DETAILS + json.dumps(Details(stamps=stamps, versions=versions())), flush=True)
    spark.stop()


def _start_spark() -> "SparkSession":
    from pyspark.sql import SparkSession

    return SparkSession.builder.appName("cold_start").config("spark.ui.showConsoleProgress", "false").getOrCreate()


def _udf_maker(contender: str, model: str, stamps_file: Path) -> Callable[[], Any]:
    """Import what the contender's driver needs, and return what makes its UDF."""
    if contender == PIPELINE:
        return lambda: _pipeline_udf(model)
    if contender == SPARK:
        return _identity_udf
    from emotion_udf import ClassifierSettings, make_emotion_udf

    if contender == TRACED:
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


def process_started(stat: Path, uptime: Path = Path("/proc/uptime")) -> float:
    """Return when a process was started (or forked), in seconds since the epoch, to the hundredth.

    Args:
        stat: Its `/proc/<pid>/stat`; field 22 is the start in clock ticks since boot (see proc(5)).
        uptime: Linux's seconds since boot.
    """
    # The second field is the program's name in brackets, and may hold brackets and spaces itself.
    ticks = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    since_boot = float(uptime.read_text(encoding="utf-8").split()[0])
    return time.time() - since_boot + ticks / os.sysconf("SC_CLK_TCK")


# ---- the measurement


def submit_environment(python: Path) -> dict[str, str]:
    """Return the environment in which `spark-submit` runs with a Python's own Spark and this project's settings."""
    inherited = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return inherited | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_DRIVER_PYTHON": str(python),
        "PYTHONPATH": str(ROOT),
        "SPARK_CONF_DIR": str(ROOT / "conf"),
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        "HF_HUB_OFFLINE": "1",
    }


def start_once(contender: str, model: str, timeout_s: float) -> tuple[float, float, Details]:
    """Run one job; return when spark-submit was started, the seconds to its first row, and what it says.

    Raises:
        BenchmarkError: The job failed, or took longer than `timeout_s`.
    """
    from benchmarks.inputs import BenchmarkError

    python = python_of(contender)
    with tempfile.TemporaryDirectory() as folder:
        job = ["--job", contender, "--model", model, "--stamps", f"{folder}/stamps.json"]
        began, started = time.time(), time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - commands of this file
            [str(python.parent / "spark-submit"), "--master", "local[1]", __file__, *job],
            cwd=ROOT,
            env=submit_environment(python),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Spark's Java and Python workers end with it, whatever became of it
        )
        lines = list(_timed_lines(process, timeout_s))
    first = next((at for at, line in lines if line.startswith(_FIRST_ROW)), None)
    details = next((line.removeprefix(_DETAILS) for _, line in lines if line.startswith(_DETAILS)), None)
    if first is None or details is None:
        last_words = "\n".join(line for _, line in lines[-5:])
        raise BenchmarkError(
            f"{contender} ended without a row (within {timeout_s:,.0f} seconds); it said:\n{last_words}"
        )
    return began, first - started, json.loads(details)


def _timed_lines(process: subprocess.Popen[str], timeout_s: float) -> Iterator[tuple[float, str]]:
    """Yield a process's lines with the moment each was read, and end it after `timeout_s`."""
    clock = threading.Timer(timeout_s, end, [process])
    clock.start()
    with process:
        try:
            for line in process.stdout or ():
                yield time.perf_counter(), line.rstrip("\n")
        finally:
            clock.cancel()
            end(process)


def python_of(contender: str) -> Path:
    """Return the Python that runs a contender: the peers' own where it is installed."""
    from benchmarks.contenders.process import PEERS_PYTHON

    return PEERS_PYTHON if contender == PIPELINE and PEERS_PYTHON.is_file() else Path(sys.executable)


def measure(model: str, repeats: int, timeout_s: float) -> dict[str, Starts]:
    """Start every contender `repeats` times in turns, after a round that does not count."""
    starts = {contender: Starts() for contender in CONTENDERS}
    for number in range(repeats + 1):
        turn = number % len(CONTENDERS)
        for contender in CONTENDERS[turn:] + CONTENDERS[:turn]:
            began, seconds, details = start_once(contender, model, timeout_s)
            if number:
                starts[contender].seconds.append(seconds)
                starts[contender].phases.append(phases(began, details["stamps"]))
                starts[contender].versions = details["versions"]
    return starts


def phases(began: float, stamps: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of each phase between stamps that are there.

    Args:
        began: When spark-submit was started, in seconds since the epoch.
        stamps: As in `Details`.
    """
    spent: dict[str, float] = {}
    before = began
    for name, stamp in PHASES.items():
        if stamp in stamps:
            spent[name] = stamps[stamp] - before
            before = stamps[stamp]
    return spent


def median_phases(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return each phase's median."""
    return {name: median(spent[name] for spent in measured) for name in PHASES if all(name in m for m in measured)}


def summarise(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Compare the medians of the contenders' seconds.

    Returns:
        `of_pipeline` is this project's seconds as a share of the pipeline's, `of_pipeline_without_spark` the same
        after the seconds of Spark alone are taken from both, and the others the share of Spark in each.
    """
    ours, pipeline, spark = (median(seconds[name]) for name in (OURS, PIPELINE, SPARK))
    return {
        "of_pipeline": ours / pipeline,
        "of_pipeline_without_spark": (ours - spark) / (pipeline - spark),
        "spark_in_ours": spark / ours,
        "spark_in_pipeline": spark / pipeline,
    }


def table_of(starts: Mapping[str, Starts], summary: Mapping[str, float]) -> "Table":
    """Return the terminal's table."""
    from rich.table import Table

    met = "met" if summary["of_pipeline"] <= GOAL else "not met"
    table = Table(
        title="From spark-submit to the first scored row, seconds",
        caption=f"{OURS} takes {summary['of_pipeline']:.0%} of {PIPELINE} (goal: at most {GOAL:.0%}, {met}), "
        f"{summary['of_pipeline_without_spark']:.0%} where Spark's own seconds are taken from both. Spark alone is "
        f"{summary['spark_in_ours']:.0%} of {OURS} and {summary['spark_in_pipeline']:.0%} of {PIPELINE}.",
    )
    table.add_column("")
    for heading in ("median", "fastest", "slowest"):
        table.add_column(heading, justify="right")
    for name, measured in starts.items():
        times = (median(measured.seconds), min(measured.seconds), max(measured.seconds))
        table.add_row(name, *(f"{seconds:.2f}" for seconds in times))
    table.add_section()
    for phase, seconds in median_phases(starts[TRACED].phases).items():
        table.add_row(f"  {phase}", f"{seconds:.2f}")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or be a contender where `--job` says which; 2 where it cannot be measured as asked."""
    parser = argparse.ArgumentParser(description="Measure the seconds from spark-submit to the first scored row.")
    parser.add_argument("--model", default="bundled", help="bundled, base, tiny or a model folder")
    parser.add_argument("--repeats", type=int, default=3, help="starts of each contender that count")
    parser.add_argument("--timeout", type=float, default=600, metavar="S", help="seconds that one start may take")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "cold_start.json")
    parser.add_argument("--job", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--stamps", type=Path, default=Path(), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.job:
        run_job(options.job, options.model, options.stamps)
        return 0
    from rich.console import Console

    from benchmarks.inputs import BenchmarkError, find_model

    try:
        starts = measure(str(find_model(options.model)), options.repeats, options.timeout)
    except BenchmarkError as error:
        Console(stderr=True).print(f"cold_start: {error}", markup=False, highlight=False)
        return 2
    summary = summarise({name: measured.seconds for name, measured in starts.items()})
    contenders = {name: vars(measured) for name, measured in starts.items()}
    write_result(options.out, {"model": options.model, "contenders": contenders, "summary": summary})
    Console().print(table_of(starts, summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
