"""Which GPU each Python worker is given, where nodes report GPUs that are not there: the night runs on CPUs."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.cluster.conftest import GPUS, Place
from tests.helpers.cluster import Cluster
from tests.helpers.driver import running_driver
from tests.helpers.jobs import submit
from tests.helpers.published import tables_of
from tests.helpers.spark import JAVA
from tests.helpers.tweets import DAYS, tweets_settings

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.spark]

LOADED = re.compile(r"INFO emotion_udf\.workers\.spec pid=(\d+) .* assigned_gpus=(\S+)")
SETTINGS = {
    "spark.executor.memory": "1g",
    "spark.executor.cores": "2",
    "spark.executor.extraJavaOptions": JAVA,
    "spark.locality.wait": "0",  # both executors take tasks at once
}


def assigned(
    cluster: Cluster, place: Place, folder: Path, spark: dict[str, str], *arguments: str
) -> list[dict[str, set[str]]]:
    """Run a night of four tasks, and return the workers of each address, by executor.

    Args:
        cluster: The cluster.
        place: The tweets.
        folder: Takes the warehouse.
        spark: Settings of Spark.
        arguments: Of the night.
    """
    before = set(cluster.printed())
    with running_driver(cluster.url, folder / "local", SETTINGS | spark) as driver:
        night = driver.run(*tweets_settings(place.many, folder / "out"), f"--date={DAYS[0]}", *arguments)
    assert night.code == 0, night.output
    found = []
    for name, text in cluster.printed().items():
        if name not in before:
            workers = defaultdict(set)
            for pid, gpu in LOADED.findall(text):
                workers[gpu].add(pid)
            found.append(dict(workers))
    return found


def gpus(executor: str, task: str) -> dict[str, str]:
    """Return the settings for GPUs of an executor and of each of the job's tasks."""
    return {"spark.executor.resource.gpu.amount": executor, "spark.task.resource.gpu.amount": task}


def at_once(log: Path) -> dict[int, int]:
    """Return how many tasks an executor ran at once at most, by the number of their stage's resource profile."""
    events = [json.loads(line) for line in log.read_text().splitlines()]
    profiles = {
        event["Stage Info"]["Stage ID"]: event["Stage Info"]["Resource Profile Id"]
        for event in events
        if event["Event"] == "SparkListenerStageSubmitted"
    }
    spans: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    for event in events:
        if event["Event"] == "SparkListenerTaskEnd":
            task, begun = event["Task Info"], event["Task Info"]["Launch Time"]
            # Not its finish time: the driver takes note of that when it may have given the core away already.
            ended = begun + event["Task Metrics"]["Executor Run Time"]
            spans[profiles[event["Stage ID"]], task["Executor ID"]].append((begun, ended))
    found: dict[int, int] = defaultdict(int)
    for (profile, _), tasks in spans.items():
        busy = (sum(other <= begun < ended for other, ended in tasks) for begun, _ in tasks)
        found[profile] = max(found[profile], *busy)
    return found


def test_several_workers_share_the_one_gpu_of_their_executor(cluster: Cluster, place: Place, tmp_path: Path) -> None:
    executors = assigned(cluster, place, tmp_path, gpus(executor="1", task="0.5"))

    assert len(executors) == 2
    for workers in executors:
        ((gpu, pids),) = workers.items()
        assert gpu in GPUS
        assert len(pids) == 2


def test_the_workers_of_an_executor_with_several_gpus_take_different_ones(
    cluster: Cluster, place: Place, tmp_path: Path
) -> None:
    executors = assigned(cluster, place, tmp_path, gpus(executor="2", task="1"))

    assert len(executors) == 2
    for workers in executors:
        assert set(workers) == set(GPUS)


def test_the_score_step_alone_asks_for_gpus(cluster: Cluster, place: Place, tmp_path: Path) -> None:
    """An executor of two cores has one GPU: it scores in one task, and does everything else in two."""
    events = tmp_path / "events"
    events.mkdir()
    spark = {
        "spark.executor.resource.gpu.amount": "1",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": str(events),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }
    executors = assigned(cluster, place, tmp_path, spark, "--set=classifier.task_gpus=1")
    local = tmp_path / "of-local-mode"
    assert submit(*tweets_settings(place.many, local), f"--date={DAYS[0]}").code == 0

    assert len(executors) == 2
    for workers in executors:
        ((gpu, pids),) = workers.items()
        assert gpu in GPUS
        assert len(pids) == 1
    (log,) = events.iterdir()
    (others, (_, scoring)) = sorted(at_once(log).items())
    assert others == (0, 2), "the profile of all other stages, on both cores"
    assert scoring == 1
    tables_of(tmp_path / "out").check_same(tables_of(local))


def test_gpus_that_executors_do_not_have_are_not_waited_for(cluster: Cluster, place: Place, tmp_path: Path) -> None:
    with running_driver(cluster.url, tmp_path / "local", SETTINGS) as driver:
        night = driver.run(
            *tweets_settings(place.tweets, tmp_path / "out"), f"--date={DAYS[0]}", "--set=classifier.task_gpus=1"
        )
    assert night.code == 2, night.output
    assert (
        "error: expected spark.executor.resource.gpu.amount of Spark to be at least classifier.task_gpus = 1"
        in night.output
    )
    assert "step=read" not in night.output
