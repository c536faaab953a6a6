"""Which GPU each Python worker is given, where nodes report GPUs that are not there: the night runs on CPUs."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.cluster.conftest import GPUS, Place
from tests.helpers.cluster import Cluster
from tests.helpers.driver import running_driver
from tests.helpers.spark import JAVA
from tests.helpers.tweets import DAYS, tweets_settings

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.spark]

LOADED = re.compile(r"INFO emotion_udf\.workers\.spec pid=(\d+) .* assigned_gpus=(\S+)")
SETTINGS = {"spark.executor.memory": "1g", "spark.executor.cores": "2", "spark.executor.extraJavaOptions": JAVA}


def assigned(cluster: Cluster, place: Place, folder: Path, executor: str, task: str) -> list[dict[str, set[str]]]:
    """Run a night of four tasks, and return the workers of each address, by executor.

    Args:
        cluster: The cluster.
        place: The tweets.
        folder: Takes the warehouse.
        executor: GPUs of an executor.
        task: GPUs of a task.
    """
    before = set(cluster.printed())
    gpus = {"spark.executor.resource.gpu.amount": executor, "spark.task.resource.gpu.amount": task}
    with running_driver(cluster.url, folder / "local", SETTINGS | gpus) as driver:
        night = driver.run(*tweets_settings(place.many, folder / "out"), f"--date={DAYS[0]}")
    assert night.code == 0, night.output
    found = []
    for name, text in cluster.printed().items():
        if name not in before:
            workers = defaultdict(set)
            for pid, gpu in LOADED.findall(text):
                workers[gpu].add(pid)
            found.append(dict(workers))
    return found


def test_several_workers_share_the_one_gpu_of_their_executor(cluster: Cluster, place: Place, tmp_path: Path) -> None:
    executors = assigned(cluster, place, tmp_path, executor="1", task="0.5")

    assert len(executors) == 2
    for workers in executors:
        ((gpu, pids),) = workers.items()
        assert gpu in GPUS
        assert len(pids) == 2


def test_the_workers_of_an_executor_with_several_gpus_take_different_ones(
    cluster: Cluster, place: Place, tmp_path: Path
) -> None:
    executors = assigned(cluster, place, tmp_path, executor="2", task="1")

    assert len(executors) == 2
    for workers in executors:
        assert set(workers) == set(GPUS)
