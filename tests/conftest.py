"""What all tests share: where the data is, and one Spark session."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.helpers.paths import DATA, ROOT

if TYPE_CHECKING:  # the classifier's tests run where there is no Spark
    from pyspark.sql import SparkSession

    from emotion_udf.settings.nightly import NightSettings
    from emotion_udf.window import Window
    from tests.helpers.messages import WriteMessages

# Examples may take long on a busy machine: speed belongs in benchmarks.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Workers run the Python of the tests, and local mode retries a task as a cluster would.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ.setdefault("PYSPARK_SUBMIT_ARGS", "--master local[2,4] --driver-memory 2g pyspark-shell")
os.environ.setdefault("SPARK_CONF_DIR", str(ROOT / "conf"))
os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data (`EMOTION_UDF_DATA`)."""
    if not DATA.is_dir():
        pytest.fail(f"expected data for tests in {DATA}, found none; set EMOTION_UDF_DATA", pytrace=False)
    return DATA


@pytest.fixture(scope="session")
def spark() -> "Iterator[SparkSession]":
    """The session as the job starts it, on two cores."""
    from emotion_udf.session import start_session

    session = start_session("tests")
    session.conf.set("spark.sql.shuffle.partitions", "4")
    yield session
    session.stop()


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
