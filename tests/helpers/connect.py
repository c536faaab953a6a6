"""A Spark Connect server of a test's own, on 127.0.0.1."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pyspark

from tests.helpers.jobs import Ended, environment
from tests.helpers.paths import ROOT
from tests.helpers.spark import JAVA, MASTER

HOME: Final = Path(pyspark.__file__).parent
_PATIENCE_S: Final = 180.0


@contextmanager
def running_connect(folder: Path, conf: Mapping[str, str], master: str = MASTER) -> Iterator[str]:
    """Start a server, yield its address, and end it.

    Args:
        folder: Takes its logs.
        conf: Settings of its Spark.
        master: Where it works; by default in local mode.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": str(port), **conf}
    options = [f"--conf={key}={value}" for key, value in settings.items()]
    command = [str(HOME / "sbin/start-connect-server.sh"), "--wait", f"--master={master}", *options]
    places = {"SPARK_HOME": str(HOME), "SPARK_LOG_DIR": str(folder), "SPARK_PID_DIR": str(folder)}
    known = environment() | places | {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    log = folder / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, f"--driver-java-options={JAVA}"],
            cwd=folder, env=known, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        until = time.monotonic() + _PATIENCE_S
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield f"sc://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def run_remotely(server: str, *arguments: str) -> Ended:
    """Run the nightly job in a Python of its own, without a Java."""
    with start_remotely(server, *arguments) as job:
        out, _ = job.communicate(timeout=600)
    return Ended(job.returncode, out)


def start_remotely(server: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start the nightly job in a Python of its own, without a Java; both of its streams are one."""
    known = {key: value for key, value in environment().items() if not key.startswith("SPARK_")}
    command = [sys.executable, "-m", "emotion_udf.jobs.score_feedback", *arguments]
    known |= {"SPARK_REMOTE": server, "JAVA_HOME": "/nowhere"}
    return subprocess.Popen(command, cwd=ROOT, env=known, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
