"""Nights on a standalone cluster, in one session of a driver, but for those that need settings of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Place
from tests.helpers.cluster import Cluster, kill, wait_for
from tests.helpers.driver import Driver, running_driver
from tests.helpers.jobs import query, submit
from tests.helpers.published import Tables, tables_of
from tests.helpers.spark import JAVA
from tests.helpers.tweets import DAYS, tweets_settings

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.spark]

DAY = f"--date={DAYS[0]}"
EXECUTORS = {"spark.executor.memory": "1g", "spark.executor.extraJavaOptions": JAVA}
COPIES = {
    "spark.speculation": "true",
    "spark.speculation.efficiency.enabled": "false",
    "spark.speculation.interval": "50ms",
    "spark.speculation.minTaskRuntime": "50ms",
    "spark.speculation.multiplier": "1.01",
    "spark.speculation.quantile": "0.25",
}
"""Spark starts a second copy of nearly every task that is not the first to end."""


@pytest.fixture(scope="module")
def driver(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with running_driver(cluster.url, tmp_path_factory.mktemp("local"), EXECUTORS | COPIES) as driver:
        yield driver


@pytest.fixture(scope="module")
def expected(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """What a night in local mode publishes."""
    folder = tmp_path_factory.mktemp("local")
    assert submit(*tweets_settings(place.many, folder), DAY).code == 0
    return tables_of(folder)


def files_of_scores(warehouse: Path) -> int:
    """Return how many tasks have scored: each writes a file."""
    return len(list(warehouse.glob("text_scores/data/*/*.parquet")))


def three_of(workers: list[int]) -> list[int]:
    """Return the workers if they are three at least: one or two may still be at a task that its copy has overtaken."""
    return workers if len(workers) > 2 else []


def test_a_submitted_night_has_the_tables_of_local_mode(
    cluster: Cluster, place: Place, tmp_path: Path, expected: Tables
) -> None:
    """With executors that come when there is work and go when there is none."""
    settings = EXECUTORS | {
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.initialExecutors": "0",
        "spark.dynamicAllocation.maxExecutors": "2",
        "spark.dynamicAllocation.executorIdleTimeout": "5s",
        "spark.executor.cores": "2",
    }
    conf = [f"--conf={key}={value}" for key, value in settings.items()]
    ended = submit(*tweets_settings(place.many, tmp_path), DAY, master=cluster.url, spark=conf)

    assert ended.code == 0, ended.output
    tables_of(tmp_path).check_same(expected)
    assert files_of_scores(tmp_path) == 4, "two executors of two cores"


def test_each_python_worker_loads_the_model_once(
    driver: Driver, cluster: Cluster, place: Place, tmp_path: Path, expected: Tables
) -> None:
    before = cluster.loads()
    ended = driver.run(*tweets_settings(place.many, tmp_path), DAY)

    assert ended.code == 0, ended.output
    tables_of(tmp_path).check_same(expected)
    assert files_of_scores(tmp_path) == 4, "two executors of two cores"
    loads = [load for load in cluster.loads() if load not in before]
    assert len(loads) >= 4, "two executors of two cores"
    assert len(set(loads)) == len(loads)
    ((told, tasks),) = query(tmp_path, "SELECT model_loads, hosts[1].tasks FROM runs")
    assert 1 <= told <= len(loads), "of a task that its copy has overtaken nothing is told"
    assert tasks == 4


def test_with_copies_of_tasks_nothing_is_published_twice(
    driver: Driver, cluster: Cluster, place: Place, tmp_path: Path, expected: Tables
) -> None:
    """A Spark that others have started may make them, and the job says so."""
    before = set(cluster.copies())
    ended = driver.run(*tweets_settings(place.many, tmp_path), DAY, "--set=classifier.rows_per_task=500")

    assert ended.code == 0, ended.output
    assert "expected spark.speculation = false, found true" in ended.output
    assert "expected spark.io.encryption.enabled = true, found false" in ended.output
    tables_of(tmp_path).check_same(expected)
    assert cluster.copies() - before


def test_killed_python_workers_cost_a_try_of_their_tasks(
    driver: Driver, cluster: Cluster, place: Place, tmp_path: Path, expected: Tables
) -> None:
    driver.start(*tweets_settings(place.many, tmp_path), DAY)
    driver.read_until("step=canary done")
    for worker in wait_for(lambda: three_of(cluster.busy_workers()), driver.process):
        kill(worker)
    ended = driver.end()

    assert ended.code == 0, ended.output
    assert "Python worker exited unexpectedly" in ended.output
    tables_of(tmp_path).check_same(expected)


def test_a_lost_executor_costs_tries_of_its_tasks(
    driver: Driver, cluster: Cluster, place: Place, tmp_path: Path, expected: Tables
) -> None:
    driver.start(*tweets_settings(place.many, tmp_path), DAY)
    driver.read_until("step=canary done")
    kill(wait_for(cluster.executors, driver.process)[0])
    ended = driver.end()

    assert ended.code == 0, ended.output
    assert "Lost executor" in ended.output
    tables_of(tmp_path).check_same(expected)


def test_a_node_without_the_model_is_named(driver: Driver, place: Place, tmp_path: Path) -> None:
    ended = driver.run(*tweets_settings(place.tweets, tmp_path), DAY, f"--set=classifier.model={place.absent}")

    assert ended.code == 2, ended.output
    assert "error: expected on every node the model" in ended.output
    assert f"expected a model folder at {place.absent}, found none" in ended.output
    assert "put it there under the same path" in ended.output
    assert not (tmp_path / "emotion_labels" / "_delta_log").exists()


def test_a_node_with_another_model_is_named(driver: Driver, place: Place, tmp_path: Path) -> None:
    ended = driver.run(*tweets_settings(place.tweets, tmp_path), DAY, f"--set=classifier.model={place.other}")

    assert ended.code == 2, ended.output
    assert "error: expected the model" in ended.output
    assert "give every node the same model folder" in ended.output
    assert not (tmp_path / "emotion_labels" / "_delta_log").exists()


def test_a_warehouse_on_the_disk_of_one_machine_is_refused(driver: Driver, place: Place) -> None:
    ended = driver.run(*tweets_settings(place.tweets, place.own / "warehouse"), DAY)

    assert ended.code == 2, ended.output
    assert f"rows that Spark has written to file://{place.own}/warehouse/" in ended.output
    assert "found 0 there: a machine has a disk of its own under that name" in ended.output


def test_a_warehouse_beside_shared_staging_is_refused_too(driver: Driver, place: Place, tmp_path: Path) -> None:
    settings = tweets_settings(place.tweets, place.own / "other")
    ended = driver.run(*settings, DAY, f"--set=staging.root={tmp_path}")

    assert ended.code == 2, ended.output
    assert f"rows that Spark has written to file://{place.own}/other/" in ended.output


def test_an_input_on_the_disk_of_one_machine_is_refused(driver: Driver, place: Place, tmp_path: Path) -> None:
    feedback = place.own / "tweets.parquet"
    feedback.write_bytes(place.tweets.read_bytes())
    ended = driver.run(*tweets_settings(feedback, tmp_path), DAY)

    assert ended.code == 2, ended.output
    assert f"expected the input at {feedback} on every machine, found one without tweets.parquet" in ended.output
