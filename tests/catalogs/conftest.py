"""Catalogs that stay when Spark ends: Hive's metastore in a file, and Iceberg's in a folder."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.catalogs.driver import ANSWER
from tests.helpers.driver import Driver, running_driver
from tests.helpers.jobs import Ended
from tests.helpers.paths import ROOT
from tests.helpers.spark import JAVA, MASTER

ICEBERG = ROOT / ".venv-iceberg"
"""An older Spark with Iceberg's jar, where `tools/setup_iceberg.sh` has made it."""


@dataclass(frozen=True)
class Session:
    """A driver over a catalog.

    Attributes:
        driver: Its process.
        settings: What names the warehouse.
    """

    driver: Driver
    settings: Sequence[str]

    def night(self, *arguments: str) -> Ended:
        """Run a night."""
        return self.driver.run("night", *self.settings, *arguments)

    def start_night(self, *arguments: str) -> None:
        """Begin a night."""
        self.driver.start("night", *self.settings, *arguments)

    def ask(self, sql: str) -> list[list[Any]]:
        """Return rows as Spark prints their values."""
        ended = self.driver.run("sql", sql)
        (answer,) = [line for line in ended.out.splitlines() if line.startswith(ANSWER)]
        rows: list[list[Any]] = json.loads(answer.removeprefix(ANSWER))
        return rows

    def die_before(self, change: int) -> None:
        """Let the driver end before it changes a table for the n-th time."""
        self.driver.run("die", str(change))


@dataclass(frozen=True)
class Catalog:
    """A catalog with an empty schema.

    Attributes:
        folder: Of its files, and of those of the job.
        namespace: The schema.
        conf: Spark's settings of the catalog.
        python: The Python that has the Spark.
        settings: More settings of the nights.
        versions: Its readers can open a table at a version.
    """

    folder: Path
    namespace: str
    conf: Mapping[str, str]
    python: Path = Path(sys.executable)
    settings: Sequence[str] = ()
    versions: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def own(self) -> Path:
        """The folder of the job's own files."""
        return self.folder / "own"

    @contextmanager
    def session(self, tweets: Path) -> Iterator[Session]:
        """Start a driver over the catalog, for nights over a file."""
        settings = [
            "--config=conf/nightly.toml",
            f"--set=input.path={tweets}",
            "--set=warehouse.format=catalog",
            f"--set=warehouse.namespace={self.namespace}",
            f"--set=warehouse.root={self.own}",
            "--set=terms.min_texts=2",
            *self.settings,
        ]
        local = self.folder / "local"
        local.mkdir(exist_ok=True)
        conf = {"spark.io.encryption.enabled": "true", **self.conf}
        options = [f"--driver-java-options={JAVA} -Dderby.stream.error.file={self.folder}/derby.log"]
        program = (str(self.python), "-m", "tests.catalogs.driver")
        with running_driver(MASTER, local, conf, options, program, **self.variables) as driver:
            yield Session(driver, settings)


def hive(folder: Path) -> Catalog:
    """The session catalog with Hive's metastore, which makes tables of Parquet files."""
    conf = {
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": f"{folder}/tables",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/metastore;create=true",
        "spark.hadoop.hive.exec.scratchdir": f"{folder}/scratch",
    }
    return Catalog(folder, "spark_catalog.emotions", conf)


def iceberg(folder: Path) -> Catalog:
    """A catalog of Iceberg's, in a folder."""
    if not (ICEBERG / ".ready").exists():
        missing = "needs .venv-iceberg; tools/setup_iceberg.sh makes it"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    (jar,) = ICEBERG.glob("lib/python*/site-packages/**/iceberg-spark-runtime-*_2.12-*.jar")
    conf = {
        "spark.jars": f"{jar},{ICEBERG}/jackson.jar",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "hadoop",
        "spark.sql.catalog.lake.warehouse": f"{folder}/lake",
    }
    python = ICEBERG / "bin" / "python"
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    return Catalog(
        folder, "lake.emotions", conf, python, versions=True, variables={"PYSPARK_PYTHON": str(python), "PATH": path}
    )


KINDS = {"hive": hive, "iceberg": iceberg}


@pytest.fixture(params=KINDS)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Catalog:
    return KINDS[request.param](tmp_path)
