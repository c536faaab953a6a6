"""tools/submit.sh: what it starts, prepared and unprepared, and what reaches the job and its caller."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.jobs import Ended, environment
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow

SUBMIT = ROOT / "tools" / "submit.sh"
JOB = """
import sys, time
import pyspark
print("imported from", pyspark.__file__, flush=True)
print("arguments", sys.argv[1:], flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(7)
"""
HINT = "nothing is prepared for this Java and Spark"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `--prepare` leaves."""
    folder = tmp_path_factory.mktemp("cache")
    prepared = run(folder, "--prepare")
    assert prepared.code == 0, prepared.output
    assert f"prepared in {folder}" in prepared.output
    return folder


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job without a Spark session, which ends with exit code 7."""
    file = tmp_path_factory.mktemp("job") / "job.py"
    file.write_text(JOB, encoding="utf-8")
    return file


def run(cache: Path, *arguments: str | Path, **variables: str) -> Ended:
    """Run the launcher to its end."""
    known = environment() | {"EMOTION_UDF_CACHE": str(cache)} | variables
    ended = subprocess.run([SUBMIT, *arguments], env=known, capture_output=True, text=True, timeout=300)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def test_a_prepared_start_maps_sparks_classes_and_imports_compiled_pyspark(
    cache: Path, job: Path, tmp_path: Path
) -> None:
    log = f"-Xlog:class+load:file={tmp_path / 'classes'}"
    ended = run(cache, "--master", "local[1]", job, "0", "two words", "--master=mine", SPARK_SUBMIT_OPTS=log)

    assert ended.code == 7, ended.output
    assert "arguments ['0', 'two words', '--master=mine']" in ended.output
    classes = (tmp_path / "classes").read_text(encoding="utf-8")
    assert "org.apache.spark.deploy.SparkSubmit source: shared objects file (top)" in classes
    (imported,) = (Path(line.split()[-1]) for line in ended.output.splitlines() if line.startswith("imported from"))
    assert imported.is_file()  # in a zip it would be none


def test_the_nights_own_exit_code_and_message_pass_through(cache: Path, tmp_path: Path) -> None:
    ended = run(cache, ROOT / "jobs" / "score_feedback.py", f"--config={tmp_path}/none.toml", "--date=2026-10-05")

    assert ended.code == 2
    assert "none.toml" in ended.output


def test_sigterm_ends_the_job(cache: Path, job: Path) -> None:
    known = environment() | {"EMOTION_UDF_CACHE": str(cache)}
    command: list[str | Path] = [SUBMIT, "--master", "local[1]", job, "600"]
    with subprocess.Popen(command, env=known, stdout=subprocess.PIPE, text=True, start_new_session=True) as started:
        assert started.stdout is not None
        while not started.stdout.readline().startswith("arguments"):
            assert started.poll() is None
        started.send_signal(signal.SIGTERM)
        code = started.wait(60)
        os.killpg(started.pid, signal.SIGKILL)  # the job's Python sleeps on, as under spark-submit

    assert code == 128 + signal.SIGTERM


@pytest.mark.parametrize("length", [0, 1_000_000])
def test_a_cut_archive_means_a_plain_start(cache: Path, job: Path, length: int) -> None:
    (archive,) = cache.glob("*/classes.jsa")
    whole = archive.rename(archive.with_name("whole"))
    with whole.open("rb") as stream:
        archive.write_bytes(stream.read(length))
    ended = run(cache, "--master", "local[1]", job, "0")
    whole.rename(archive)

    assert ended.code == 7, ended.output
    assert HINT in ended.output


def test_a_stale_archive_is_left_alone_without_a_word(cache: Path, job: Path) -> None:
    (archive,) = cache.glob("*/classes.jsa")
    whole = archive.rename(archive.with_name("whole"))
    archive.write_bytes(b"\0" * whole.stat().st_size)  # as long, but not of this Java
    ended = run(cache, "--master", "local[1]", job, "0")
    whole.rename(archive)

    assert ended.code == 7, ended.output
    assert HINT not in ended.output
    assert "archive" not in ended.output


def test_unprepared_it_is_spark_submit_with_a_hint(job: Path, tmp_path: Path) -> None:
    ended = run(tmp_path, "--master", "local[1]", job, "0")

    assert ended.code == 7, ended.output
    assert HINT in ended.output
    assert "submit.sh --prepare" in ended.output


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"SPARK_HOME": "/nowhere"}, "expected Spark in SPARK_HOME, found no folder /nowhere/jars"),
        ({"JAVA_HOME": "/nowhere"}, "expected Java, found none"),
        (
            {"SPARK_CONF_DIR": "/nowhere"},
            "expected the folder of Spark's settings in SPARK_CONF_DIR, found no /nowhere",
        ),
    ],
)
def test_what_is_missing_is_told(variables: dict[str, str], told: str, tmp_path: Path) -> None:
    ended = run(tmp_path, "--version", **variables)

    assert ended.code == 2
    assert told in ended.output
