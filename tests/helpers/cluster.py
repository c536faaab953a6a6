"""A standalone Spark cluster of a test's own: a master and workers as processes, on ports that are free.

Each has an address of its own on the loopback, 127.0.0.1 and on: Spark runs no second copy of a task on the same host.

Every node may be one of its own kind: a worker can be started with other variables, and in a mount namespace where a
folder is empty or is another one, which is what tells one machine's disk from another's.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyspark

from emotion_udf.workers.watchdog import state_of
from tests.helpers.jobs import environment
from tests.helpers.paths import ROOT
from tests.helpers.spark import JAVA

MASTER_HOST: Final = "127.0.0.1"
DEPLOY: Final = "org.apache.spark.deploy"
SPARK_CLASS: Final = Path(pyspark.__file__).parent / "bin" / "spark-class"

LOGGING: Final = """
rootLogger.level = info
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n
"""
_STARTED: Final = re.compile(r"Successfully started service 'sparkMaster' on port (\d+)")
_LOADED: Final = re.compile(r"INFO emotion_udf\.workers\.spec pid=(\d+) model=\w+ engine=")
_AGAIN: Final = re.compile(r"Running (task \d+\.[1-9]\d* in stage \S+)")
_REGISTERED: Final = "Successfully registered with master"
_PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Node:
    """What tells a worker's machine from the driver's.

    Attributes:
        cores: Tasks that it runs at once.
        hidden: Folders that are empty there.
        exchanged: Folders that are others there, each with the folder that it shows.
        options: Of `Worker`, such as the file of its resources.
    """

    cores: int = 2
    hidden: Sequence[Path] = ()
    exchanged: Mapping[Path, Path] | None = None
    options: Sequence[str] = ()

    def command(self, program: Sequence[str]) -> list[str]:
        """Return the command that runs a program on such a machine."""
        mounts = [f"mount -t tmpfs none {folder}" for folder in self.hidden]
        mounts += [f"mount --bind {shown} {folder}" for folder, shown in (self.exchanged or {}).items()]
        if not mounts:
            return list(program)
        return ["unshare", "--mount", "sh", "-ec", "\n".join([*mounts, 'exec "$@"']), "sh", *program]


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs.

    Attributes:
        url: Of its master.
        folder: Of its processes' logs, and of what executors print: `work/APPLICATION/EXECUTOR/stderr`.
        workers: The numbers of its workers' processes.
    """

    url: str
    folder: Path
    workers: Sequence[int]

    def executors(self) -> list[int]:
        """Return the processes of executors that run."""
        return [pid for worker in self.workers for pid in children(worker, "CoarseGrainedExecutorBackend")]

    def python_workers(self) -> list[int]:
        """Return the Python workers that have imported torch."""
        daemons = [pid for executor in self.executors() for pid in children(executor, "pyspark.daemon")]
        workers = [pid for daemon in daemons for pid in children(daemon, "pyspark.daemon")]
        return [pid for pid in workers if has_mapped(pid, "libtorch")]

    def busy_workers(self) -> list[int]:
        """Return those of them that compute: idle ones use no processor at all."""
        return those_at_work(self.python_workers(), 0.2, ticks=3)

    def printed(self) -> dict[str, str]:
        """Return what each executor has printed on standard error, by its application and number."""
        files = sorted(self.folder.glob("work/*/*/stderr"))
        return {str(file.parent.relative_to(self.folder / "work")): file.read_text() for file in files}

    def loads(self) -> list[tuple[str, str]]:
        """Return each load of a model as workers told of it: their executor, and their process."""
        return [(name, pid) for name, text in self.printed().items() for pid in _LOADED.findall(text)]

    def copies(self) -> set[tuple[str, str]]:
        """Return the tasks that were begun again, each with its application and executor."""
        return {(name, task) for name, text in self.printed().items() for task in _AGAIN.findall(text)}


@contextmanager
def running_cluster(folder: Path, nodes: Sequence[Node] = (Node(), Node())) -> Iterator[Cluster]:
    """Start a master and workers, and end them and all that they have started.

    Args:
        folder: Takes logs and the folders of applications.
        nodes: The machines.
    """
    conf = folder / "conf"
    conf.mkdir(parents=True)
    (conf / "log4j2.properties").write_text(LOGGING)
    processes: list[subprocess.Popen[bytes]] = []

    def start(name: str, node: Node, host: str, *arguments: str) -> Path:
        log = folder / f"{name}.log"
        variables = {
            "SPARK_HOME": str(SPARK_CLASS.parents[1]),
            "SPARK_CONF_DIR": str(conf),
            "SPARK_LOCAL_IP": host,
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": JAVA,
            "SPARK_LOCAL_DIRS": str(folder / "local"),
            "PYTHONPATH": str(ROOT),
        }
        command = node.command([str(SPARK_CLASS), *arguments, *server(host)])
        known = environment() | variables
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=folder, env=known, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        processes.append(process)
        return log

    try:
        master_log = start("master", Node(), MASTER_HOST, f"{DEPLOY}.master.Master")
        url = f"spark://{MASTER_HOST}:{_wait(lambda: _STARTED.search(master_log.read_text()), master_log)[1]}"
        logs = [
            start(
                f"worker-{number}", node, f"127.0.0.{number + 1}", f"{DEPLOY}.worker.Worker", url,
                "--cores", str(node.cores), "--memory", "2g", "--work-dir", str(folder / "work"), *node.options,
            )
            for number, node in enumerate(nodes)
        ]  # fmt: skip
        for log in logs:
            _wait(lambda log=log: re.search(_REGISTERED, log.read_text()), log)  # type: ignore[misc]
        yield Cluster(url, folder, [process.pid for process in processes[1:]])
    finally:
        for process in reversed(processes):  # workers first: each ends its executors
            process.terminate()
        for process in reversed(processes):
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def server(host: str) -> list[str]:
    """Return the options of a process that listens on a host's free ports."""
    return ["--host", host, "--port", "0", "--webui-port", "0"]


def _wait(look: Callable[[], re.Match[str] | None], log: Path) -> re.Match[str]:
    """Wait until something stands in a log."""
    until = time.monotonic() + _PATIENCE_S
    while (found := look()) is None:
        assert time.monotonic() < until, f"expected a cluster that starts, found:\n{log.read_text()}"
        time.sleep(0.1)
    return found


def wait_for(look: Callable[[], list[int]], process: subprocess.Popen[str]) -> list[int]:
    """Wait for processes of a job that runs."""
    until = time.monotonic() + _PATIENCE_S
    while not (found := look()):
        assert process.poll() is None, "expected a job that runs, found one that has ended"
        assert time.monotonic() < until, "expected processes of the job, found none"
        time.sleep(0.02)
    return found


def children(parent: int, program: str) -> list[int]:
    """Return the processes that a process has started and whose command line has a word."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            status = (place / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == parent and status[0] != "Z" and program in (place / "cmdline").read_text():
                found.append(int(place.name))
        except OSError:
            continue  # it ended while we looked
    return sorted(found)


def those_at_work(pids: Iterable[int], seconds: float, ticks: int) -> list[int]:
    """Return the processes that use so much processor time within some seconds, in hundredths of a second."""
    before = {pid: worked(pid) for pid in pids}
    time.sleep(seconds)
    return [pid for pid, earlier in before.items() if worked(pid) - earlier >= ticks]


def worked(pid: int) -> int:
    """Return the processor time that a process has used, in hundredths of a second; 0 if it has gone."""
    try:
        return state_of(pid)[1]
    except OSError:
        return 0


def has_mapped(pid: int, library: str) -> bool:
    """Tell whether a process has a library in its memory."""
    try:
        return library in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def kill(pid: int) -> None:
    """Take a process away at once, as a machine that fails does."""
    os.kill(pid, signal.SIGKILL)
