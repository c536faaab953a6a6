"""Contenders as processes: which there are, in which environment each runs, and what came of it."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.contenders.measurement import Answer, Request
from benchmarks.machine import ROOT
from benchmarks.processes import run_to_end

OURS: Final = "emotion-udf"
PEERS: Final = {
    "hf-pipeline": "hf_pipeline",
    "spark-infer-ai": "spark_infer_ai",
    "predict-batch-udf": "predict_batch",
    "ray": "ray_data",
}
"""Peers by name, and the module of each."""

PROJECT_PYTHON: Final = ROOT / ".venv" / "bin" / "python"
PEERS_PYTHON: Final = ROOT / ".venv-benchmarks" / "bin" / "python"
PEERS_READY: Final = ROOT / ".venv-benchmarks" / ".ready"
"""What tools/setup_benchmarks.sh leaves when it is done."""

# Of the machine's settings of Spark, Python and Ray none may differ between contenders.
_UNSET = ("SPARK_CONF_DIR", "SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "PYTHONHOME", "RAY_ADDRESS", "OMP_NUM_THREADS")
_SET = {
    "SPARK_LOCAL_IP": "127.0.0.1",
    "HF_HUB_OFFLINE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": str(ROOT),
}


@dataclass(frozen=True)
class Contender:
    """One row of the comparison.

    Args:
        name: What results call it.
        command: What starts it; a request's arguments are appended.
        best: Whether it is asked to use its best settings.
    """

    name: str
    command: tuple[str, ...]
    best: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a contender.

    Args:
        answer: What it said; only an `error` where it failed.
        warm_up_s: From the start of its process to the end of its warm-up, None where it failed.
        log: What it wrote to its terminal.
    """

    answer: Answer
    warm_up_s: float | None
    log: Path


def ours() -> Contender:
    """Return this project's contender."""
    return Contender(OURS, (str(PROJECT_PYTHON), "-m", "benchmarks.contenders.emotion_udf_job"))


def peer(name: str, best: bool = False) -> Contender:
    """Return a peer by its name in `PEERS`."""
    command = (str(PEERS_PYTHON), "-m", f"benchmarks.contenders.{PEERS[name]}")
    return Contender(f"{name}-best" if best else name, command, best)


def run_contender(contender: Contender, request: Request, timeout_s: float) -> Outcome:
    """Run a contender to its end, or for `timeout_s`, after which it counts as failed."""
    request.answer.parent.mkdir(parents=True, exist_ok=True)
    request.answer.unlink(missing_ok=True)
    log = request.answer.with_suffix(".log")
    environment = {name: value for name, value in os.environ.items() if name not in _UNSET} | _SET
    environment["PYSPARK_PYTHON"] = environment["PYSPARK_DRIVER_PYTHON"] = contender.command[0]
    command = [*contender.command, *request.to_arguments()]
    started = time.time()
    with log.open("w", encoding="utf-8") as stream:
        ended = run_to_end(command, environment, stream.fileno(), timeout_s)
    if ended is None:
        return Outcome(Answer(error=f"did not end within {timeout_s:g} seconds"), None, log)
    said = _read_answer(request.answer) or Answer(error=f"ended with exit code {ended}; last words: {_last_words(log)}")
    if "error" in said or "seconds" not in said:
        return Outcome(Answer(error=said.get("error", "said nothing of seconds")), None, log)
    return Outcome(said, said["warmed_up_at"] - started, log)


def _read_answer(file: Path) -> Answer | None:
    """Read the answer; None where the process died before it wrote one."""
    if not file.is_file():
        return None
    said: Answer = json.loads(file.read_text(encoding="utf-8"))
    return said


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "none")
