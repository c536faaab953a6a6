"""Nights over Spark Connect: the job has no Java, and its Spark is a server that others have started."""

import importlib.util
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cluster.conftest import GPUS, Place
from tests.helpers.cluster import Cluster, those_at_work
from tests.helpers.connect import run_remotely, running_connect, start_remotely
from tests.helpers.jobs import query, submit
from tests.helpers.published import tables_of
from tests.helpers.tweets import DAYS, own_tweets, tweets_settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    pytest.mark.spark,
    pytest.mark.skipif(importlib.util.find_spec("grpc") is None, reason="needs the extra connect"),
]

DAY = f"--date={DAYS[0]}"


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the server and its workers run."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(at_home: Path) -> Iterator[str]:
    conf = {"spark.io.encryption.enabled": "true"}
    with running_connect(at_home, conf) as server:
        yield server


def test_a_whole_night_has_the_tables_of_local_mode(server: str, place: Place, tmp_path: Path) -> None:
    local = submit(*tweets_settings(place.tweets, tmp_path / "local"), DAY)
    remote = run_remotely(server, *tweets_settings(place.tweets, tmp_path / "remote"), DAY)

    assert local.code == 0, local.output
    assert remote.code == 0, remote.output
    tables_of(tmp_path / "remote").check_same(tables_of(tmp_path / "local"))
    assert "WARN" not in remote.output
    work = "SELECT tokens, wasted_token_share, len(hosts), hosts[1].tasks, hosts[1].workers, model_loads FROM runs"
    ((tokens, *figures),) = query(tmp_path / "remote", work)
    assert [(tokens, *figures)] == query(tmp_path / "local", work)
    assert tokens > 1_000
    assert figures == [0.0, 1, 1, 1, 1]
    again = run_remotely(server, *tweets_settings(place.tweets, tmp_path / "remote"), DAY)
    assert again.code == 0, again.output
    assert query(tmp_path / "remote", "SELECT sum(reused_texts) FROM runs") == [(91,)]
    tables_of(tmp_path / "remote").check_same(tables_of(tmp_path / "local"))


def test_over_connect_too_the_score_step_asks_for_gpus(cluster: Cluster, place: Place, tmp_path: Path) -> None:
    conf = {"spark.executor.memory": "1g", "spark.executor.cores": "2", "spark.executor.resource.gpu.amount": "1"}
    (tmp_path / "server").mkdir()
    before = set(cluster.printed())
    with running_connect(tmp_path / "server", conf, cluster.url) as server:
        night = run_remotely(server, *tweets_settings(place.tweets, tmp_path), DAY, "--set=classifier.task_gpus=1")

    assert night.code == 0, night.output
    assert "each scoring task asks for gpu=1" in night.output
    printed = "".join(text for name, text in cluster.printed().items() if name not in before)
    assert set(re.findall(r"assigned_gpus=(\S+)", printed)) <= set(GPUS)
    assert "assigned_gpus=" in printed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_night_that_is_interrupted_leaves_the_server_nothing_to_do(
    server: str, at_home: Path, place: Place, tmp_path: Path, number: signal.Signals
) -> None:
    settings = tweets_settings(place.many, tmp_path)
    with start_remotely(server, *settings, DAY) as job:
        assert job.stdout is not None
        lines = []
        for line in job.stdout:
            lines.append(line)
            if "step=canary done" in line:
                break
        job.send_signal(number)
        lines += job.stdout
    output = "".join(lines)
    assert job.returncode not in (0, -number), output
    assert "Traceback" not in output
    until = time.monotonic() + 20
    while busy := busy_workers(at_home):
        assert time.monotonic() < until, f"expected workers at rest, found {busy} at work"

    again = run_remotely(server, *settings, DAY)
    assert again.code == 0, again.output
    outcomes = query(tmp_path, "SELECT outcome FROM runs ORDER BY started_at")
    assert outcomes == [("failed",), ("published",)]


def busy_workers(folder: Path) -> list[int]:
    """Return the Python workers that run in a folder and compute."""
    pids = map(int, filter(str.isdigit, os.listdir("/proc")))
    return those_at_work([pid for pid in pids if is_worker(pid, folder)], 0.5, ticks=5)


def is_worker(pid: int, folder: Path) -> bool:
    try:
        return (
            Path(f"/proc/{pid}/cwd").samefile(folder) and "pyspark.daemon" in Path(f"/proc/{pid}/cmdline").read_text()
        )
    except OSError:
        return False  # it ended while we looked


def test_what_the_server_was_started_without_is_told(place: Place, tmp_path: Path) -> None:
    """And what ends workers and files is told as in any other session."""
    damaged = tmp_path / "input" / "damaged.parquet"
    damaged.parent.mkdir()
    pq.write_table(own_tweets(), damaged.with_name("good.parquet"))
    pq.write_table(own_tweets(), damaged, compression="none", use_dictionary=False)
    content = bytearray(damaged.read_bytes())
    content[4:200] = bytes(196)  # the footer is good
    damaged.write_bytes(content)
    (tmp_path / "server").mkdir()
    with running_connect(tmp_path / "server", {}) as server:
        settings = tweets_settings(damaged.parent, tmp_path / "out")
        night = run_remotely(server, *settings, DAY, "--set=gate.max_refused_file_share=0.9")
        on_gpu = run_remotely(
            server, *tweets_settings(place.tweets, tmp_path / "gpu"), DAY, "--set=classifier.device=cuda"
        )

    assert night.code == 0, night.output
    assert "expected spark.io.encryption.enabled = true, found false" in night.output
    assert query(tmp_path / "out", "SELECT rows_labelled, refused_files FROM runs") == [(92, 1)]
    assert on_gpu.code == 2, on_gpu.output
    assert "error: classifier.device = 'cuda' expects a GPU in every Python worker, found none" in on_gpu.output


def test_a_server_that_is_not_there_is_one_message(place: Place, tmp_path: Path) -> None:
    ended = run_remotely("sc://127.0.0.1:9", *tweets_settings(place.tweets, tmp_path), DAY)

    assert ended.code == 2, ended.output
    assert "error: expected a Spark Connect server at sc://127.0.0.1:9, found none that answers" in ended.output
