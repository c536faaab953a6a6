"""The driver does not compile pyspark at each start."""

import os
import subprocess
import sys
from pathlib import Path

import pyspark

from emotion_udf.jobs.compiled_pyspark import without_zip

PACKAGE = Path(pyspark.__file__).parent
ZIP = str(PACKAGE / "python" / "lib" / "pyspark.zip")


def test_a_zip_of_the_package_that_is_on_the_path_too_is_left_out() -> None:
    others = ["/jobs", str(PACKAGE / "python" / "lib" / "py4j-src.zip")]
    assert without_zip([ZIP, *others, str(PACKAGE.parent)]) == [*others, str(PACKAGE.parent)]


def test_a_spark_that_pip_did_not_install_is_imported_as_spark_submit_says(tmp_path: Path) -> None:
    elsewhere = str(tmp_path / "spark" / "python" / "lib" / "pyspark.zip")
    for path in ([elsewhere, str(PACKAGE.parent)], [ZIP, "/usr/lib/python3"]):
        assert without_zip(path) == path


def test_a_job_that_spark_submit_starts_imports_the_folder() -> None:
    shown = "import emotion_udf.jobs.command_line, pyspark; print(pyspark.__file__)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([ZIP, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-c", shown], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(PACKAGE / "__init__.py")
