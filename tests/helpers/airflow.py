"""Airflow in an environment of its own: its command line, one run of a DAG, and a scheduler with what it needs."""

import json
import os
import re
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.helpers.paths import ROOT
from tests.helpers.sites import Site

BIN: Final = ROOT / ".venv-airflow/bin"
DAG: Final = ROOT / "conf/airflow/emotions.py"
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Airflow:
    """An Airflow with a database of its own.

    Attributes:
        home: Its folder.
        port: Where its server listens on this machine, while it runs.
    """

    home: Path
    port: int = field(default_factory=lambda: _free_port())
    _secret: str = field(default_factory=lambda: secrets.token_hex(32))

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its processes, which are few, as those of a service."""
        options = {
            "CORE__DAGS_FOLDER": f"{self.home}/dags",
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "2",
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "API__HOST": "127.0.0.1",
            "API__PORT": str(self.port),
            "API__WORKERS": "1",
            "API_AUTH__JWT_SECRET": self._secret,
            "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        return {f"AIRFLOW__{key}": value for key, value in options.items()} | {
            "AIRFLOW_HOME": str(self.home),
            "HOME": str(self.home),
            "PATH": f"{BIN}:/usr/bin:/bin",
            # The job of this checkout, and Spark bound to an address that exists, whatever the machine is called.
            "PYTHONPATH": str(ROOT),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "NO_PROXY": "127.0.0.1",
        }

    def run(self, *arguments: str, **variables: str) -> str:
        """Run a command of Airflow and return what it prints to standard output."""
        ended = subprocess.run(
            [BIN / "airflow", *arguments],
            env=self.environment | variables,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def write_dag(self, site: Site, **changes: str) -> Path:
        """Put the DAG into the folder of DAGs, with a site's places and some of its constants changed."""
        text = site.adapt(DAG)
        for name, value in changes.items():
            text, found = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
            assert found == 1, name
        file = self.home / "dags" / DAG.name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def start_script(self, name: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start a script of these tests by Airflow's Python; both of its streams come out as one."""
        return subprocess.Popen(
            [BIN / "python", ROOT / "tests/schedulers" / name, *arguments],
            env=self.environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def logs(self) -> str:
        """Return all that Airflow has written to files."""
        return "".join(file.read_text(errors="replace") for file in self.home.rglob("*.log"))

    @contextmanager
    def running(self) -> Iterator["Server"]:
        """Start a scheduler, a processor of DAGs, and the server through which tasks are started."""
        with ExitStack() as stack:
            for name in ("api-server", "scheduler", "dag-processor"):
                log = stack.enter_context((self.home / f"{name}.log").open("w"))
                process = subprocess.Popen(
                    [BIN / "airflow", name],
                    env=self.environment,
                    cwd=self.home,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                stack.callback(_end, process)
            server = Server(f"http://127.0.0.1:{self.port}")
            server.wait_until(lambda: server.is_up, 600)
            yield server


@dataclass
class Server:
    """Airflow's own server.

    Attributes:
        url: Its address.
    """

    url: str
    _token: str = ""

    @property
    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            self._token = self._ask("/auth/token")["access_token"]
        except OSError:
            return False
        return True

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs of the DAG, oldest first."""
        found: list[dict[str, Any]] = self._ask("/api/v2/dags/emotions/dagRuns?limit=100")["dag_runs"]
        return sorted(found, key=lambda run: run["data_interval_start"])

    def tasks(self, run: Mapping[str, Any]) -> dict[str, str]:
        """Return the state of each task of a run."""
        tasks = self._ask(f"/api/v2/dags/emotions/dagRuns/{run['dag_run_id']}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in tasks}

    def wait_until(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Wait, and fail after so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with suppress(TimeoutError):  # a busy machine
                if is_so():
                    return
            time.sleep(2)
        states = {run["dag_run_id"]: run["state"] for run in self.runs()} if self._token else "no server"
        pytest.fail(f"expected it within {seconds:.0f} s, found {states}")

    def _ask(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310
        with _NO_PROXY.open(request, timeout=60) as answer:
            return json.load(answer)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process of Airflow with all that it has started."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
