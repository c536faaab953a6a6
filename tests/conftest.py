"""What all tests share: where the data is, and one Spark session."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:  # the classifier's tests run where there is no Spark
    from pyspark.sql import SparkSession

# Examples may take long on a busy machine: speed belongs in benchmarks.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("EMOTION_UDF_DATA", "../shared/data"))

# Workers run the Python of the tests, and local mode retries a task as a cluster would.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ.setdefault("PYSPARK_SUBMIT_ARGS", "--master local[2,4] --driver-memory 2g pyspark-shell")
os.environ.setdefault("SPARK_CONF_DIR", str(ROOT / "conf"))
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data (`EMOTION_UDF_DATA`)."""
    folder = DATA if DATA.is_absolute() else ROOT / DATA
    if not folder.is_dir():
        pytest.fail(f"expected data for tests in {folder}, found none; set EMOTION_UDF_DATA", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def spark() -> "Iterator[SparkSession]":
    """The session as the job starts it, on two cores."""
    from emotion_udf.session import start_session

    session = start_session("tests")
    session.conf.set("spark.sql.shuffle.partitions", "4")
    yield session
    session.stop()
