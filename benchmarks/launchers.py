"""Start programs and end them with all that they started; start Spark jobs by spark-submit or by tools/submit.sh."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pyspark

from benchmarks.harness import BUILD, BenchmarkError
from benchmarks.machine import ROOT

PEERS_PYTHON: Final = ROOT / ".venv-benchmarks" / "bin" / "python"
"""What tools/setup_benchmarks.sh makes."""

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
            ended = f"ended with exit code {process.wait(timeout_s)}"
        except subprocess.TimeoutExpired:
            ended = f"did not end within {timeout_s:,.0f} s"
        finally:
            with suppress(ProcessLookupError):  # nothing is left of its session
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if not ended.endswith("code 0"):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
        words = f"{Path(command[0]).name} {ended} ({log.name}); its last lines:"
        raise BenchmarkError("\n".join([words, *lines]))


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


def submit(arguments: Sequence[str], python: Path, prepared: bool, log: Path, timeout_s: float) -> None:
    """Run a Spark job with the project's settings of Spark, by `python`'s spark-submit or by tools/submit.sh.

    Args:
        arguments: Of spark-submit.
        python: What runs the job.
        prepared: Start it by tools/submit.sh. Its Spark is this project's for a peer's Python, too: that one is
            prepared.
        log: The file for what it prints.
        timeout_s: Seconds that it may take.

    Raises:
        BenchmarkError: It failed or took too long.
    """
    program = ROOT / "tools" / "submit.sh" if prepared else python.parent / "spark-submit"
    environment = job_environment(python) | {"SPARK_CONF_DIR": str(ROOT / "conf")}
    if prepared:
        environment |= {"SPARK_HOME": pyspark.__path__[0], "EMOTION_UDF_CACHE": str(BUILD / "prepared")}
    run_logged([str(program), *arguments], environment, log, timeout_s)


def prepare(timeout_s: float) -> None:
    """Prepare tools/submit.sh for this Java and this project's Spark; raises what `submit` raises."""
    submit(["--prepare"], Path(sys.executable), True, BUILD / "prepare.log", timeout_s)
