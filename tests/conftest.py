"""What all tests share: small data of their own, the large data, and one Spark session."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.helpers.paths import LARGE_DATA, ROOT
from tests.helpers.spark import submit_arguments

if TYPE_CHECKING:  # the classifier's tests run where there is no Spark
    from pyspark.sql import SparkSession

    from emotion_udf.settings.nightly import NightSettings
    from emotion_udf.window import Window
    from tests.helpers.messages import WriteMessages
    from tests.helpers.postgres import Postgres

# Examples may take long on a busy machine: speed belongs in benchmarks.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Several threads of several processes wait for each other; Spark gives its workers one, too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Workers run the Python of the tests.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ.setdefault("PYSPARK_SUBMIT_ARGS", submit_arguments())
os.environ.setdefault("SPARK_CONF_DIR", str(ROOT / "conf"))
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")

MARKS = {"spark": "spark", "spark_submit": "spark", "data": "needs_data"}
"""Fixtures, and the mark of every test that uses them, through other fixtures too."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the marks on before `-m` chooses by them; files that start Spark come first, while its workers are warm."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKS:
                item.add_marker(MARKS[fixture])
    with_spark = {item.path for item in items if item.get_closest_marker("spark")}
    items.sort(key=lambda item: item.path not in with_spark)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of large data; CI must have it, elsewhere what needs it is skipped."""
    if not LARGE_DATA.is_dir():
        missing = f"needs the large data, found none in {LARGE_DATA}; set EMOTION_UDF_DATA to its folder"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return LARGE_DATA


@pytest.fixture(scope="session")
def tweets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' own 200 messages, as a Parquet file with the columns of the large data's tweets."""
    from tests.helpers.tweets import write_tweets

    return write_tweets(tmp_path_factory.mktemp("data") / "tweets.parquet")


@pytest.fixture(scope="session")
def spark() -> "Iterator[SparkSession]":
    """The session as the job starts it, on two cores."""
    from emotion_udf.session import start_session

    session = start_session("tests")
    session.conf.set("spark.sql.shuffle.partitions", "4")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    """A PostgreSQL, where the machine has one; tests share it, each with a schema of its own."""
    from tests.helpers.postgres import find_postgres, running_postgres

    programs = find_postgres()
    if programs is None:
        pytest.skip("needs PostgreSQL, found none; apt-get install postgresql")
    with running_postgres(programs) as server:
        yield server


@pytest.fixture
def write(tmp_path: Path) -> "WriteMessages":
    """Write messages to a file below `tmp_path / "input"`."""
    import pyarrow.parquet as pq

    from tests.helpers.messages import messages

    def write_file(name: str, table: Any = None, **options: Any) -> Path:
        file = tmp_path / "input" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(messages() if table is None else table, file, **options)
        return file

    return write_file


@pytest.fixture
def day() -> "Window":
    from emotion_udf.window import Window
    from tests.helpers.messages import DAY

    return Window(DAY, DAY)


@pytest.fixture
def night(tmp_path: Path) -> "NightSettings":
    """Settings for a night over `tmp_path`."""
    from emotion_udf.settings.nightly import InputSettings, NightSettings, WarehouseSettings

    return NightSettings(
        input=InputSettings(path=str(tmp_path / "input")), warehouse=WarehouseSettings(root=str(tmp_path / "warehouse"))
    )
