"""Start programs and end them with all that they started; start Spark jobs by spark-submit or by tools/submit.sh."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pyspark

from benchmarks.cpu_time import SessionClock
from benchmarks.harness import BenchmarkError, Row
from benchmarks.machine import ROOT

PEERS_PYTHON: Final = ROOT / ".venv-benchmarks" / "bin" / "python"
"""What tools/setup_benchmarks.sh makes."""

# Machines set these differently; none may differ between what is compared.
_UNSET = ("SPARK_CONF_DIR", "SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "PYTHONHOME", "OMP_NUM_THREADS")
_SAMPLE_EVERY_S = 0.05


def run_logged(
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    timeout_s: float,
    root: Path = ROOT,
    watch: Callable[[int], SessionClock] = SessionClock,
) -> Row:
    """Run a command in the project's folder to its end; whatever it started ends with it.

    Args:
        command: The program and its arguments.
        environment: All of its environment variables.
        log: The file for what it prints.
        timeout_s: Seconds that it may take.
        root: The project's folder, of this version or another one.
        watch: Makes what looks at its session.

    Returns:
        `wall_s`, and `cpu_s` of it and all that it started.

    Raises:
        BenchmarkError: It failed or took too long; the message has its last lines.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(  # noqa: S603 - commands of the benchmarks
            command, cwd=root, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
        clock = watch(process.pid)
        started, cpu_s = time.perf_counter(), 0.0
        try:
            while process.poll() is None and time.perf_counter() - started < timeout_s:
                cpu_s = clock.sample()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_SAMPLE_EVERY_S)
            wall_s = time.perf_counter() - started
            code = process.returncode
        finally:
            with suppress(ProcessLookupError):  # nothing is left of its session
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code != 0:
        ended = f"did not end within {timeout_s:,.0f} s" if code is None else f"ended with exit code {code}"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        words = f"{Path(command[0]).name} {ended} ({log.name}); its last lines:"
        raise BenchmarkError("\n".join([words, *lines]))
    return {"wall_s": wall_s, "cpu_s": cpu_s}


def job_environment(python: Path, root: Path = ROOT) -> dict[str, str]:
    """Return the environment of a program that `python` runs, with that Python's Spark and none of this machine's."""
    inherited = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return inherited | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_DRIVER_PYTHON": str(python),
        "PYTHONPATH": str(root),
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        "HF_HUB_OFFLINE": "1",
    }


def submit(
    arguments: Sequence[str], python: Path, prepared: bool, log: Path, timeout_s: float, root: Path = ROOT
) -> Row:
    """Run a Spark job with the project's settings of Spark, by `python`'s spark-submit or by tools/submit.sh.

    Args:
        arguments: Of spark-submit.
        python: What runs the job.
        prepared: Start it by tools/submit.sh.
        log: The file for what it prints.
        timeout_s: Seconds that it may take.
        root: The project's folder, of this version or another one: whose job, settings and tools/submit.sh.

    Returns:
        What `run_logged` returns.

    Raises:
        BenchmarkError: It failed or took too long.
    """
    program = root / "tools" / "submit.sh" if prepared else python.parent / "spark-submit"
    environment = job_environment(python, root) | {"SPARK_CONF_DIR": str(root / "conf")}
    if prepared:
        cache = root / "build" / "benchmarks" / "prepared"
        environment |= {"SPARK_HOME": pyspark.__path__[0], "EMOTION_UDF_CACHE": str(cache)}
    return run_logged([str(program), *arguments], environment, log, timeout_s, root)
