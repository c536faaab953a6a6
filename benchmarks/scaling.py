"""Rows a second and the memory of the Python workers, by number of rows and cores; and what Spark itself costs.

    python -m benchmarks.scaling --rows 10000,100000,1000000 --cores 1,2 --model tiny
    python -m benchmarks.scaling --overhead --rows 40000 --cores 2 --model bundled

The pandas UDF labels Parquet into Parquet in the job's own session, on warm workers. Each number of rows and cores is
measured in a process of its own, so that memory is that run's alone. Texts are repeated where the data has too few:
the UDF does not look for repeats.
"""

import argparse
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import mean, median
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import BUILD, BenchmarkError, Sizes, default_data, find_model, make_model, write_parts
from benchmarks.machine import ROOT, write_result

TINY: Final = Sizes(dim=32, hidden_dim=64, n_heads=2, n_layers=1)
TINY_NOTE: Final = (
    "tiny is one layer of width 32 with random weights: the classifier costs next to nothing, and what is measured is "
    "all that is around it. Set its seconds against those of a real model."
)
GOAL_FLAT: Final = 0.10
"""How much more memory a worker may take with the most rows than with the fewest."""

GOAL_SPARK_RATE: Final = 0.90
"""The rate through Spark as a share of the bare classifier's, at least."""

SAMPLE_EVERY_S: Final = 0.2
_LOOK_FOR_WORKERS_EVERY = 10  # samples: it reads all of /proc
_KIB_A_MIB = 1024

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


@dataclass(frozen=True)
class WorkerMemory:
    """The proportional set size of one Python worker: its own memory, and its part of what it shares.

    Args:
        peak_mib: The largest of all samples.
        last_quarter_mib: The mean of the last quarter of samples.
        samples: How many there are.
    """

    peak_mib: float
    last_quarter_mib: float
    samples: int


@dataclass(frozen=True)
class Measurement:
    """What one process measured.

    Args:
        rows: Rows of each job.
        cores: Spark's cores.
        seconds: Of each job.
        rows_per_s: Of the median job.
        workers: Each Python worker's memory in a further job.
        peak_mib: Of the worker that took most.
        last_quarter_mib: Of the worker that took most.
    """

    rows: int
    cores: int
    seconds: list[float]
    rows_per_s: float
    workers: list[WorkerMemory]
    peak_mib: float
    last_quarter_mib: float


@dataclass(frozen=True)
class Overhead:
    """Spark against the bare classifier, job by job in turns.

    Args:
        rows: Rows of each job.
        cores: Spark's cores, and the bare classifier's processes of one thread.
        spark_s: Seconds of each job through Spark, Parquet to Parquet.
        bare_s: Seconds of the bare classifier on the same rows, texts in memory.
        spark_rate: The medians' rate through Spark as a share of the bare one.
    """

    rows: int
    cores: int
    spark_s: list[float]
    bare_s: list[float]
    spark_rate: float


def model_folder(name: str) -> Path:
    """Return the model folder that `--model` names, making those of random weights when they are first asked for."""
    return make_model(BUILD / "tiny-distilbert", TINY) if name == "tiny" else find_model(name)


# ---- input


def cycle(texts: pa.ChunkedArray, rows: int, first: int = 0) -> pa.Table:
    """Return `rows` rows of `id`, which is unique, and `text`, from the text `first` on and round and round."""
    numbers = np.arange(first, first + rows)
    return pa.table({"id": pa.array(numbers), "text": texts.take(pa.array(numbers % len(texts)))})


def read_texts(data: Path) -> pa.ChunkedArray:
    """Read the column `text`.

    Raises:
        BenchmarkError: There is no such file.
    """
    if not data.is_file():
        raise BenchmarkError(f"expected messages in {data}, found no such file; name one with --data")
    return pq.read_table(data, columns=["text"])["text"].combine_chunks()


def _write_input(request: Request) -> tuple[Path, Path]:
    """Write what is timed and what warms up, one file a core."""
    shutil.rmtree(request.folder, ignore_errors=True)
    texts = read_texts(request.data)
    warm_up = min(request.rows, request.warm_up_rows * request.cores)
    return (
        write_parts(cycle(texts, request.rows), request.cores, request.folder / "timed"),
        write_parts(cycle(texts, warm_up, request.rows), request.cores, request.folder / "warm-up"),
    )


# ---- memory


def python_workers(root: int, proc: Path = Path("/proc")) -> list[int]:
    """Return the Python workers of Spark below the process `root`: what its daemons have forked."""
    parents = {int(entry.name): _parent(entry) for entry in proc.iterdir() if entry.name.isdigit()}
    return sorted(
        pid for pid, parent in parents.items() if _is_worker(pid, parent, proc) and _below(root, pid, parents)
    )


def pss_mib(smaps_rollup: str) -> float:
    """Return the proportional set size that a `/proc/<pid>/smaps_rollup` tells, in MiB."""
    kib = next((line.split()[1] for line in smaps_rollup.splitlines() if line.startswith("Pss:")), "0")
    return int(kib) / _KIB_A_MIB


def summarise_memory(samples: Sequence[float]) -> WorkerMemory:
    """Summarise one worker's samples, at least one, in MiB."""
    last_quarter = samples[len(samples) * 3 // 4 :]
    return WorkerMemory(round(max(samples), 1), round(mean(last_quarter), 1), len(samples))


class MemorySampler:
    """Samples the memory of all Python workers of this process's Spark, from `with` to its end.

    Args:
        every_s: Seconds between samples.
    """

    def __init__(self, every_s: float = SAMPLE_EVERY_S) -> None:
        self.mib: dict[int, list[float]] = {}
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        workers: list[int] = []
        taken = 0
        while True:
            if taken % _LOOK_FOR_WORKERS_EVERY == 0:
                workers = python_workers(os.getpid())
            for pid in workers:
                try:
                    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
                except OSError:  # it has ended
                    continue
                self.mib.setdefault(pid, []).append(pss_mib(rollup))
            taken += 1
            if self._ended.wait(self._every_s):
                return


def _parent(entry: Path) -> int:
    try:
        # The second field is the program's name in brackets, and may hold brackets and spaces itself.
        return int((entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
    except OSError:  # it has ended
        return 0


def _is_worker(pid: int, parent: int, proc: Path) -> bool:
    return all(_is_daemon(process, proc) for process in (pid, parent))


def _is_daemon(pid: int, proc: Path) -> bool:
    """Tell whether a process is Spark's daemon of Python workers, or was forked from it."""
    try:
        return b"pyspark.daemon" in (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def _below(root: int, pid: int, parents: Mapping[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == root:
            return True
    return False


# ---- Spark


def in_a_process(measure: Callable[[Request], ResultT], request: Request) -> ResultT:
    """Measure in a new process, whose Spark and workers end with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, request).result()


def measure(request: Request) -> Measurement:
    """Time jobs on warm workers, then watch the workers' memory in one more. Starts a Spark session in this process."""
    timed, warm_up = _write_input(request)
    with SparkJob(request) as job:
        job.label(warm_up)
        seconds = [job.label(timed) for _ in range(request.repeats)]
        # Not while the clock runs: Linux counts a worker's pages for each sample, some milliseconds of a core.
        with MemorySampler() as memory:
            job.label(timed)
    shutil.rmtree(request.folder)
    workers = [summarise_memory(memory.mib[pid]) for pid in sorted(memory.mib)]
    return Measurement(
        rows=request.rows,
        cores=request.cores,
        seconds=seconds,
        rows_per_s=request.rows / median(seconds),
        workers=workers,
        peak_mib=max(worker.peak_mib for worker in workers),
        last_quarter_mib=max(worker.last_quarter_mib for worker in workers),
    )


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
        self._spark = start_session("scaling")

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


# ---- Spark against the bare classifier


def measure_overhead(request: Request) -> Overhead:
    """Time Spark and the bare classifier in turns, both warm. Starts a Spark session in this process."""
    timed, warm_up = _write_input(request)
    with SparkJob(request) as job, BareClassifiers(request, timed, warm_up) as bare:
        job.label(warm_up)
        pairs = []
        for number in range(request.repeats):
            first = job.label(timed) if number % 2 == 0 else None  # who goes first changes
            alone = bare.score()
            pairs.append((first if first is not None else job.label(timed), alone))
    shutil.rmtree(request.folder)
    spark_s, bare_s = ([pair[side] for pair in pairs] for side in (0, 1))
    return Overhead(request.rows, request.cores, spark_s, bare_s, median(bare_s) / median(spark_s))


class BareClassifiers:
    """One process a core, each with the classifier on one thread and the texts of one file, warmed up.

    Args:
        request: What is measured.
        timed: A folder with one file a core.
        warm_up: The same, to be scored once before.
    """

    def __init__(self, request: Request, timed: Path, warm_up: Path) -> None:
        context = get_context("spawn")
        self._ends: list[Connection] = []
        self._processes = []
        for file in sorted(timed.iterdir()):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_score_when_told, args=(theirs, request.model, file, warm_up / file.name), daemon=True
            )
            process.start()
            theirs.close()  # so that the end of the process is the end of the pipe
            self._ends.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Self:
        self._wait()  # until all have warmed up
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in self._ends:
            end.close()
        for process in self._processes:
            process.join()

    def score(self) -> float:
        """Score all texts in all processes at once and return the seconds until the last one was done."""
        started = time.perf_counter()
        for end in self._ends:
            end.send("go")
        self._wait()
        return time.perf_counter() - started

    def _wait(self) -> None:
        for end in self._ends:
            end.recv()


def _score_when_told(told: Connection, model: str, timed: Path, warm_up: Path) -> None:
    """Score the texts of a file each time something is received, until the pipe is closed."""
    os.environ["OMP_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"  # as Spark sets it for one core a task
    import torch

    from benchmarks.scoring import score_all
    from emotion_udf import ClassifierSettings
    from emotion_udf.classifier.artifact import open_artifact
    from emotion_udf.classifier.classifier import load_classifier

    torch.set_num_threads(1)
    settings = ClassifierSettings(model=model)
    classifier = load_classifier(
        open_artifact(settings.source), settings.device, settings.token_budget, precision=settings.precision
    )

    texts = read_texts(timed).to_pylist()
    score_all(classifier, read_texts(warm_up).to_pylist(), settings.window_rows)
    try:
        while True:
            told.send("done")
            told.recv()
            score_all(classifier, texts, settings.window_rows)
    except (EOFError, OSError):
        return  # nobody waits any more


# ---- what is told


def growth(mib: Mapping[int, float]) -> float:
    """Return by what share the largest memory of all numbers of rows is above the smallest.

    Args:
        mib: Memory by number of rows.
    """
    return max(mib.values()) / min(mib.values()) - 1


def growth_by_cores(measurements: Sequence[Measurement]) -> dict[str, dict[str, float]]:
    """Return the growth of the peak and of the last quarter's mean for each number of cores."""
    return {
        str(cores): {
            figure: growth({m.rows: getattr(m, figure) for m in measurements if m.cores == cores})
            for figure in ("peak_mib", "last_quarter_mib")
        }
        for cores in sorted({m.cores for m in measurements})
    }


def scaling_table(measurements: Sequence[Measurement], model: str) -> Table:
    """Return the terminal's table of rates and memory."""
    grown = {cores: figures["peak_mib"] for cores, figures in growth_by_cores(measurements).items()}
    words = [
        f"on {cores} cores the peak grows by {share:.1%} (goal: at most {GOAL_FLAT:.0%}, "
        f"{'met' if share <= GOAL_FLAT else 'not met'})"
        for cores, share in grown.items()
    ]
    table = Table(title=f"The UDF on Spark, {model} model", caption="; ".join(words))
    for heading in ("cores", "rows", "median s", "rows/s", "worker peak MiB", "last quarter MiB"):
        table.add_column(heading, justify="right")
    for m in measurements:
        memory = (f"{m.peak_mib:,.0f}", f"{m.last_quarter_mib:,.0f}")
        table.add_row(str(m.cores), f"{m.rows:,}", f"{median(m.seconds):.2f}", f"{m.rows_per_s:,.0f}", *memory)
    return table


def overhead_table(overheads: Sequence[Overhead], model: str) -> Table:
    """Return the terminal's table of Spark against the bare classifier."""
    table = Table(title=f"Spark around the classifier, {model} model", caption=f"goal: at least {GOAL_SPARK_RATE:.0%}")
    for heading in ("cores", "rows", "Spark rows/s", "bare rows/s", "Spark's share", "goal"):
        table.add_column(heading, justify="right")
    for o in overheads:
        rates = (f"{o.rows / median(seconds):,.0f}" for seconds in (o.spark_s, o.bare_s))
        met = "met" if o.spark_rate >= GOAL_SPARK_RATE else "not met"
        table.add_row(str(o.cores), f"{o.rows:,}", *rates, f"{o.spark_rate:.1%}", met)
    return table


def whole_numbers(text: str) -> list[int]:
    """Read `10000,100000`."""
    return [int(number) for number in text.split(",")]


def run(options: argparse.Namespace) -> None:
    """Measure, write the result and print it."""
    model = str(model_folder(options.model))
    requests = [
        Request(model, options.data.resolve(), rows, options.warm_up, cores, options.repeats, options.work.resolve())
        for cores in options.cores
        for rows in options.rows
    ]
    about: dict[str, Any] = {"model": options.model, "warm_up_rows_per_core": options.warm_up}
    if options.model == "tiny":
        about["note"] = TINY_NOTE
    if options.overhead:
        overheads = [in_a_process(measure_overhead, request) for request in requests]
        measured: dict[str, Any] = {"overhead": [asdict(overhead) for overhead in overheads]}
        table = overhead_table(overheads, options.model)
    else:
        measurements = [in_a_process(measure, request) for request in requests]
        measured = {"measurements": [asdict(m) for m in measurements], "growth": growth_by_cores(measurements)}
        table = scaling_table(measurements, options.model)
    name = "overhead.json" if options.overhead else "scaling.json"
    write_result(options.out or ROOT / "benchmarks" / "results" / name, about | measured)
    console = Console()
    console.print(table)
    if "note" in about:
        console.print(about["note"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 2 where it cannot be measured as asked."""
    parser = argparse.ArgumentParser(description="Measure the UDF on Spark by number of rows and cores.")
    parser.add_argument("--rows", type=whole_numbers, default=[10_000, 100_000, 1_000_000], metavar="N,N,…")
    parser.add_argument("--cores", type=whole_numbers, default=[len(os.sched_getaffinity(0))], metavar="N,N,…")
    parser.add_argument("--model", default="tiny", help="tiny, bundled, base or a model folder")
    parser.add_argument("--repeats", type=int, default=3, help="jobs to time; the median counts")
    parser.add_argument("--warm-up", type=int, default=1_000, metavar="N", help="rows that each core labels before")
    parser.add_argument("--overhead", action="store_true", help="measure Spark against the bare classifier instead")
    parser.add_argument("--data", type=Path, default=default_data(), help="a Parquet file with the column text")
    parser.add_argument(
        "--work", type=Path, default=BUILD / "scaling", help="a folder for input and output; it is emptied"
    )
    parser.add_argument("--out", type=Path, help="by default in benchmarks/results")
    try:
        run(parser.parse_args(arguments))
    except BenchmarkError as error:
        Console(stderr=True).print(f"scaling: {error}", markup=False, highlight=False)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
