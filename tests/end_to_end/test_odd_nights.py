"""Nights that something is wrong with: their log and their row of `runs` name it, and nothing else.

Each fault is planted for real, in a night by spark-submit. What tells of it knows no more than a data engineer would:
`named` is given what the job printed and the row.
"""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from safetensors.numpy import load_file, save_file

from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from emotion_udf.nightly.diagnosis import Cause, find_odd
from emotion_udf.schemas import RUNS
from tests.faults.job import Job
from tests.helpers.jobs import Ended
from tests.helpers.tweets import DAYS, own_tweets

pytestmark = [pytest.mark.slow, pytest.mark.spark]

_ODD = re.compile(r"WARNING emotion_udf\.nightly\.diagnosis run_id=\S+ odd=(\w+) (.+)")


def named(log: str, row: Mapping[str, Any]) -> dict[str, str]:
    """Return what is odd about a night, by name: what its log says, which is what its row says."""
    said = dict(_ODD.findall(log))
    assert said == {finding.cause.value: finding.words for finding in find_odd(row)}
    assert f"run_id={row['run_id']} it took " in log
    return said


def causes(said: Mapping[str, str]) -> set[str]:
    """Return the names but for one that is true of the tests' own machine when it has much else to do."""
    is_busy = os.getloadavg()[1] > 2 * (os.cpu_count() or 1)
    return set(said) - ({Cause.SLOW_START.value} if is_busy else set())


@dataclass(frozen=True)
class Odd:
    """A night with a fault.

    Attributes:
        settings: Of the job.
        spark: Options of spark-submit.
        variables: Of the environment.
        during: What happens to the job while it runs.
    """

    settings: Sequence[str] = ()
    spark: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    during: Callable[[Job], None] = lambda _: None


@pytest.fixture(scope="module")
def slow_open(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler: apt-get install gcc libc6-dev")
    library = tmp_path_factory.mktemp("slow_open") / "slow_open.so"
    source = Path(__file__).parents[1] / "helpers" / "slow_open.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def write_many(folder: Path, files: int = 40) -> Path:
    """Write files of different tweets, which keep workers busy for some seconds."""
    folder.mkdir()
    own = own_tweets()
    for number in range(files):
        changed = {name: [f"{value} {number}" for value in own[name].to_pylist()] for name in ("id", "text")}
        columns = {name: changed.get(name, own[name]) for name in own.column_names}
        pq.write_table(pa.table(columns, schema=own.schema), folder / f"{number}.parquet")
    return folder


def run_odd(tweets: Path, root: Path, odd: Odd) -> tuple[Ended, dict[str, Any]]:
    """Run a night, and return how it ended and its row of `runs`."""
    job = Job(tweets, root, str(DAYS[0]), odd.settings, odd.spark, **odd.variables)
    odd.during(job)
    ended = job.end()
    assert ended.code == 0, ended.output
    (row,) = DeltaTable(root / "w" / RUNS).to_pyarrow_table().to_pylist(maps_as_pydicts="strict")
    return ended, row


def slow_place(library: Path, match: str, ms: int) -> Mapping[str, str]:
    return {"LD_PRELOAD": str(library), "SLOW_MATCH": match, "SLOW_MS": str(ms)}


def test_a_night_like_any_other_has_nothing_odd(tmp_path: Path) -> None:
    ended, row = run_odd(write_many(tmp_path / "in"), tmp_path, Odd())
    assert causes(named(ended.output, row)) == set()
    (host,) = row["hosts"]
    assert row["model_loads"] == host["workers"] == host["most_at_once"] == 2
    assert row["tokens"] == host["tokens"] > 40 * 92 * 10
    assert row["wasted_token_share"] == 0
    assert 0 < row["tokens_per_s"] == pytest.approx(row["tokens"] / host["seconds"])
    assert 0 < host["slowest_opening_seconds"] < host["slowest_load_seconds"] < row["model_load_seconds"]


def test_a_model_in_a_slow_place(slow_open: Path, tmp_path: Path) -> None:
    shutil.copytree(BUNDLED_FOLDER, tmp_path / "far-away")
    slow = slow_place(slow_open, "far-away/", 3_000)
    odd = Odd([f"--set=classifier.model={tmp_path / 'far-away'}"], variables=slow)
    ended, row = run_odd(write_many(tmp_path / "in", 1), tmp_path, odd)
    said = named(ended.output, row)
    assert causes(said) == {Cause.SLOW_MODEL}
    assert "reading the model's files took" in said[Cause.SLOW_MODEL]


def test_libraries_in_a_slow_place(slow_open: Path, tmp_path: Path) -> None:
    odd = Odd(variables=slow_place(slow_open, "/torch/", 40))
    ended, row = run_odd(write_many(tmp_path / "in", 1), tmp_path, odd)
    assert set(named(ended.output, row)) == {Cause.SLOW_START}


def test_an_input_in_a_slow_place(slow_open: Path, tmp_path: Path) -> None:
    slow = slow_place(slow_open, "/in/", 1_500)
    ended, row = run_odd(write_many(tmp_path / "in", 20), tmp_path, Odd(variables=slow))
    said = named(ended.output, row)
    assert causes(said) == {Cause.SLOW_INPUT}
    assert "looking at 20 input files took" in said[Cause.SLOW_INPUT]


def test_workers_that_do_not_stay(tmp_path: Path) -> None:
    odd = Odd(["--set=classifier.rows_per_task=20"], ["--conf=spark.python.worker.reuse=false"])
    ended, row = run_odd(write_many(tmp_path / "in", 1), tmp_path, odd)
    assert causes(named(ended.output, row)) == {Cause.WORKERS_START_AGAIN}


def test_a_precision_that_falls_back(tmp_path: Path) -> None:
    """All logits are so large that bf16 cannot tell them apart: parity does not hold, in earnest."""
    model = tmp_path / "model"
    shutil.copytree(BUNDLED_FOLDER, model)
    (model / "canary.json").unlink()
    weights = {name: array.astype(np.float32) for name, array in load_file(model / "model.safetensors").items()}
    weights["classifier.bias"] += 3_000
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    odd = Odd([f"--set=classifier.model={model}", "--set=classifier.precision=bf16"])
    ended, row = run_odd(write_many(tmp_path / "in", 1), tmp_path, odd)
    said = named(ended.output, row)
    assert causes(said) == {Cause.FALLBACK}
    assert "torch fp32 on cpu, because bf16 failed parity" in said[Cause.FALLBACK]


def test_a_worker_that_is_killed(tmp_path: Path) -> None:
    def kill(job: Job) -> None:
        job.read_until("step=inventory done")  # from here on the canary is scored
        os.kill(job.find("worker"), signal.SIGKILL)

    ended, row = run_odd(write_many(tmp_path / "in", 1), tmp_path, Odd(during=kill))
    said = named(ended.output, row)
    assert causes(said) == {Cause.TRIED_AGAIN}
    assert "Lost task" in ended.output, "where the words say to look"


@contextmanager
def throttled(pid: int) -> Iterator[None]:
    """Let a process work for a fifth of the time: long enough that its watchdog sees it work, on a busy machine too."""
    done = threading.Event()

    def stop_and_go() -> None:
        while not done.wait(0.2):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.8)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_worker_whose_machine_is_busy(tmp_path: Path) -> None:
    def throttle(job: Job) -> None:
        job.read_until("step=canary done")
        with throttled(job.find("worker")):
            job.read_until("step=score done")

    odd = Odd(["--set=classifier.rows_per_task=920"], during=throttle)
    ended, row = run_odd(write_many(tmp_path / "in"), tmp_path, odd)
    assert causes(named(ended.output, row)) == {Cause.SLOW_TASK}
