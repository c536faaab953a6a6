"""What --archives brings to the nodes of a standalone cluster: a model, and a Python where they have none."""

import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from emotion_udf.classifier.artifact import BUNDLED_FOLDER, ArtifactSource, open_artifact
from tests.cluster.conftest import Place
from tests.helpers.archive import find_archive
from tests.helpers.cluster import Cluster, Node, running_cluster
from tests.helpers.jobs import Ended, submit
from tests.helpers.paths import ROOT
from tests.helpers.spark import JAVA
from tests.helpers.tweets import DAYS, tweets_settings

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.spark]

FINGERPRINT = open_artifact(ArtifactSource()).fingerprint


def night(cluster: Cluster, tweets: Path, warehouse: Path, archive: str, conf: dict[str, str], model: str) -> Ended:
    """Submit a night to which Spark brings an archive."""
    executors = {"spark.executor.memory": "768m", "spark.executor.extraJavaOptions": JAVA}
    settings = [f"--conf={key}={value}" for key, value in (executors | conf).items()]
    arguments = [*tweets_settings(tweets, warehouse), f"--date={DAYS[0]}", f"--set=classifier.model={model}"]
    return submit(*arguments, master=cluster.url, spark=[f"--archives={archive}", *settings])


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder over HTTP, as the storage of a cluster would; yield its address, and what was fetched."""
    fetched: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_: object) -> None:
            fetched.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", fetched
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def packed(folder: Path, file: Path) -> Path:
    """Pack a model as docs/deploy.md says."""
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, ".")
    return file


def test_the_workers_of_an_executor_share_a_model_that_is_fetched_once(
    cluster: Cluster, place: Place, tmp_path: Path
) -> None:
    packed(BUNDLED_FOLDER, tmp_path / "model.tar.gz")
    before = cluster.loads()
    with served(tmp_path) as (address, fetched):
        archive = f"{address}/model.tar.gz#sent"
        ended = night(cluster, place.many, tmp_path / "warehouse", archive, {"spark.executor.cores": "2"}, "sent")
    assert ended.code == 0, ended.output
    loads = set(cluster.loads()) - set(before)
    assert len({executor for executor, _ in loads}) == 2, "one on each node"
    assert len(loads) >= 4, "two workers of each"
    assert fetched == 3 * ["/model.tar.gz"], "by the driver and by each executor"


def test_the_driver_may_have_the_model_elsewhere(cluster: Cluster, place: Place, tmp_path: Path) -> None:
    """As on YARN in client mode, whose driver gets no archive: it has the folder, and the nodes do not."""
    archive = packed(BUNDLED_FOLDER, tmp_path / "model.tar.gz")
    ended = night(
        cluster, place.tweets, tmp_path / "warehouse", f"{archive}#{place.absent.name}", {}, str(place.absent)
    )
    assert ended.code == 0, ended.output


def test_another_model_in_the_archive_is_refused(cluster: Cluster, place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in BUNDLED_FOLDER.iterdir():
        (folder / file.name).write_bytes(file.read_bytes() + b"\n" * (file.name == "config.json"))
    archive = packed(folder, tmp_path / "model.tar.gz")
    ended = night(
        cluster, place.tweets, tmp_path / "warehouse", f"{archive}#{place.absent.name}", {}, str(place.absent)
    )
    assert ended.code == 2, ended.output
    assert f"expected the model {FINGERPRINT} that the driver opened, found" in ended.output
    assert not (tmp_path / "warehouse" / "emotion_labels" / "_delta_log").exists()


def test_nodes_without_python_run_the_archives_own(place: Place, tmp_path: Path) -> None:
    archive = find_archive()
    hidden = [Path(sys.base_prefix), Path(sys.executable).parent, ROOT / "emotion_udf"]
    with running_cluster(tmp_path / "cluster", [Node(hidden=hidden)]) as cluster:
        conf = {"spark.pyspark.python": "./environment/bin/python3", "spark.pyspark.driver.python": sys.executable}
        ended = night(cluster, place.tweets, tmp_path / "warehouse", f"{archive}#environment", conf, "bundled")
        assert ended.code == 0, ended.output
        assert cluster.loads()
