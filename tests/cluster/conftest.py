"""One cluster for all its tests: a master, and two workers of two cores whose disks are not quite the driver's."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_udf.classifier.artifact import BUNDLED_FOLDER
from tests.helpers.cluster import Cluster, Node, running_cluster
from tests.helpers.tweets import own_tweets

GPUS = ["4", "7"]
"""Addresses that each worker reports; there is no such GPU."""


@dataclass(frozen=True)
class Place:
    """Folders of the tests.

    Attributes:
        tweets: The tests' own tweets.
        many: As many as keep four workers busy for some seconds, all of them different.
        absent: A model that the driver's machine has and no worker's.
        other: A model that is another one on the workers' machines.
        own: A folder that each machine has for itself, the workers' being empty.
    """

    tweets: Path
    many: Path
    absent: Path
    other: Path
    own: Path


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("place")
    place = Place(*(folder / name for name in ("tweets.parquet", "many.parquet", "hidden/absent", "other", "own")))
    place.own.mkdir()
    own = own_tweets()
    pq.write_table(own, place.tweets)
    pq.write_table(pa.concat_tables(_numbered(own, number) for number in range(40)), place.many)
    for model in (place.absent, place.other):
        shutil.copytree(BUNDLED_FOLDER, model)
    return place


def _numbered(tweets: pa.Table, number: int) -> pa.Table:
    changed = {name: [f"{value} {number}" for value in tweets[name].to_pylist()] for name in ("id", "text")}
    return pa.table({name: changed.get(name, tweets[name]) for name in tweets.column_names}, schema=tweets.schema)


@pytest.fixture(scope="session")
def cluster(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs root and unshare, to give workers disks of their own")
    folder = tmp_path_factory.mktemp("cluster")
    shutil.copytree(BUNDLED_FOLDER, folder / "other")
    (folder / "other" / "config.json").write_bytes((BUNDLED_FOLDER / "config.json").read_bytes() + b"\n")
    script = folder / "find_gpus.sh"
    script.write_text(f"#!/bin/sh\necho '{json.dumps({'name': 'gpu', 'addresses': GPUS})}'\n")
    script.chmod(0o755)
    resources = folder / "worker.conf"
    resources.write_text(
        f"spark.worker.resource.gpu.amount {len(GPUS)}\nspark.worker.resource.gpu.discoveryScript {script}\n"
    )
    node = Node(
        hidden=[place.absent.parent, place.own],
        exchanged={place.other: folder / "other"},
        options=["--properties-file", str(resources)],
    )
    with running_cluster(folder / "processes", [node, node]) as cluster:
        yield cluster
