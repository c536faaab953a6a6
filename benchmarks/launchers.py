"""Start programs and end them with all that they started; start Spark jobs by spark-submit or by tools/submit.sh."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyspark

from benchmarks.harness import BUILD, BenchmarkError
from benchmarks.machine import ROOT

PEERS_PYTHON: Final = ROOT / ".venv-benchmarks" / "bin" / "python"
PEERS_READY: Final = ROOT / ".venv-benchmarks" / ".ready"
"""The file that tools/setup_benchmarks.sh leaves when it is done."""

_SUBMIT = ROOT / "tools" / "submit.sh"
# Machines set these differently; none may differ between what is compared.
_UNSET = ("SPARK_CONF_DIR", "SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "PYTHONHOME", "RAY_ADDRESS", "OMP_NUM_THREADS")
_LAST_LINES = 5


def run_logged(command: Sequence[str], environment: Mapping[str, str], log: Path, timeout_s: float) -> None:
    """Run a command in the project's folder to its end; whatever it started ends with it.

    Args:
        command: The program and its arguments.
        environment: All of its environment variables.
        log: The file for what it prints.
        timeout_s: Seconds that it may take.

    Raises:
        BenchmarkError: It failed or took too long; the message has its last lines.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(  # noqa: S603 - commands of the benchmarks
            command, cwd=ROOT, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(process)
            process.wait()
    if code != 0:
        ended = f"did not end within {timeout_s:,.0f} s" if code is None else f"ended with exit code {code}"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise BenchmarkError("\n".join([f"{Path(command[0]).name} {ended}; its last lines:", *lines[-_LAST_LINES:]]))


def end(process: subprocess.Popen[Any]) -> None:
    """End a process that leads a session of its own, with all that it started."""
    with suppress(ProcessLookupError):  # nothing is left of it
        os.killpg(process.pid, signal.SIGKILL)


def job_environment(python: Path) -> dict[str, str]:
    """Return the environment of a program that `python` runs, with that Python's Spark and none of this machine's."""
    inherited = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return inherited | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_DRIVER_PYTHON": str(python),
        "PYTHONPATH": str(ROOT),
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        "HF_HUB_OFFLINE": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def submit_command(python: Path, prepared: bool) -> list[str]:
    """Return the program that starts a Spark job: `python`'s spark-submit, or tools/submit.sh."""
    return [str(_SUBMIT if prepared else python.parent / "spark-submit")]


def submit_environment(python: Path, prepared: bool) -> dict[str, str]:
    """Return the environment of `submit_command`, with the project's settings of Spark.

    With tools/submit.sh the Spark is this project's for a peer's Python, too: that is the one that is prepared.
    """
    environment = job_environment(python) | {"SPARK_CONF_DIR": str(ROOT / "conf")}
    if prepared:
        environment["SPARK_HOME"] = str(Path(pyspark.__file__).parent)
        environment["EMOTION_UDF_CACHE"] = str(BUILD / "prepared")
    return environment


def prepare_submit(timeout_s: float) -> None:
    """Prepare tools/submit.sh for this Java and this project's Spark.

    Raises:
        BenchmarkError: It failed or took too long.
    """
    environment = submit_environment(Path(sys.executable), prepared=True)
    run_logged([str(_SUBMIT), "--prepare"], environment, BUILD / "prepare.log", timeout_s)
