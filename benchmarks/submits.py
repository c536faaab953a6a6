"""How a benchmark starts a Spark job: by plain spark-submit, or by tools/submit.sh, prepared."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import pyspark

from benchmarks.inputs import BUILD, BenchmarkError
from benchmarks.machine import ROOT
from benchmarks.processes import run_to_end

PREPARED: Final = BUILD / "prepared"
"""Where tools/submit.sh keeps what it prepares for benchmarks."""

_SUBMIT = ROOT / "tools" / "submit.sh"
_UNSET = ("SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "PYTHONHOME", "OMP_NUM_THREADS")


def submit_program(python: Path, prepared: bool = False) -> str:
    """Return the program that starts a Spark job."""
    return str(_SUBMIT if prepared else python.parent / "spark-submit")


def submit_environment(python: Path, prepared: bool = False) -> dict[str, str]:
    """Return the environment of `submit_program`: a Python's own Spark, and this project's settings.

    Args:
        python: What runs the job.
        prepared: The job is started by tools/submit.sh; its Spark is this project's for a peer's Python too, since
            that is what was prepared.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _UNSET}
    what_is_prepared = {"SPARK_HOME": str(Path(pyspark.__file__).parent), "EMOTION_UDF_CACHE": str(PREPARED)}
    return inherited | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_DRIVER_PYTHON": str(python),
        "PYTHONPATH": str(ROOT),
        "SPARK_CONF_DIR": str(ROOT / "conf"),
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        "HF_HUB_OFFLINE": "1",
        **(what_is_prepared if prepared else {}),
    }


def prepare(timeout_s: float) -> None:
    """Prepare tools/submit.sh for this Java and this project's Spark.

    Raises:
        BenchmarkError: It failed, or took longer than `timeout_s`.
    """
    environment = submit_environment(Path(sys.executable), prepared=True)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        code = run_to_end([str(_SUBMIT), "--prepare"], environment, log.fileno(), timeout_s)
        log.seek(0)
        last_words = "".join(log.readlines()[-5:])
    if code != 0:
        ended = f"did not end within {timeout_s:,.0f} s" if code is None else f"ended with exit code {code}"
        raise BenchmarkError(f"{_SUBMIT.name} --prepare {ended}; it said:\n{last_words}")
