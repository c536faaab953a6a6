"""Programs that benchmarks start: nothing of them is left, and why they failed is told."""

import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.harness import BenchmarkError
from benchmarks.launchers import job_environment, run_logged, submit

pytestmark = pytest.mark.slow

CHILD = "import subprocess; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("then", ["", "; import time; time.sleep(60)"])
def test_a_program_ends_with_what_it_started(then: str, tmp_path: Path) -> None:
    log = tmp_path / "new" / "log"
    if then:
        with pytest.raises(BenchmarkError, match="did not end within 2 s"):
            run_logged([sys.executable, "-c", CHILD + then], os.environ, log, 2)
    else:
        run_logged([sys.executable, "-c", CHILD], os.environ, log, 60)
    child = int(log.read_text(encoding="utf-8"))
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)


# As the daemon of Spark's Python workers does: it waits for none of its children.
CARELESS = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
done, working = os.pipe()
if os.fork() == 0:
    while time.process_time() < 0.6:
        pass
    time.sleep(0.2)
    os._exit(0)
os.close(working)
os.read(done, 1)  # until the child has ended
time.sleep(0.7)
"""


def test_the_cpu_seconds_of_all_that_was_started_count(tmp_path: Path) -> None:
    shell = ["/bin/sh", "-c", '"$0" -c "$1"; exit 0', sys.executable, CARELESS]
    spent = run_logged(shell, os.environ, tmp_path / "log", 60)
    assert spent["wall_s"] >= 1.4
    assert 0.5 < spent["cpu_s"] < 1.5


def test_a_program_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    script = "import sys; print('no such model', file=sys.stderr); sys.exit(3)"
    with pytest.raises(BenchmarkError, match=r"exit code 3(.|\n)*no such model"):
        run_logged([sys.executable, "-c", script], os.environ, tmp_path / "log", 60)


def test_a_job_has_its_own_pythons_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_HOME", "/elsewhere")
    monkeypatch.setenv("KEPT", "1")
    environment = job_environment(Path("/venv/bin/python"))
    assert "SPARK_HOME" not in environment
    assert environment["KEPT"] == "1"
    assert environment["PYSPARK_PYTHON"] == environment["PYSPARK_DRIVER_PYTHON"] == "/venv/bin/python"
    assert environment["PATH"].startswith("/venv/bin:")


def test_a_job_is_submitted_by_the_program_beside_its_python(tmp_path: Path) -> None:
    (tmp_path / "spark-submit").write_text('#!/bin/sh\necho "$1 $SPARK_CONF_DIR"\n', encoding="utf-8")
    (tmp_path / "spark-submit").chmod(0o755)
    submit(["job.py"], tmp_path / "python", False, tmp_path / "log", 60)
    argument, _, conf = (tmp_path / "log").read_text(encoding="utf-8").strip().partition(" ")
    assert argument == "job.py"
    assert (Path(conf) / "spark-defaults.conf").is_file()


def test_a_job_of_another_version_has_its_code_and_settings(tmp_path: Path) -> None:
    (tmp_path / "spark-submit").write_text('#!/bin/sh\necho "$PWD $PYTHONPATH $SPARK_CONF_DIR"\n', encoding="utf-8")
    (tmp_path / "spark-submit").chmod(0o755)
    root = tmp_path / "before"
    root.mkdir()
    submit(["job.py"], tmp_path / "python", False, tmp_path / "log", 60, root)
    assert (tmp_path / "log").read_text(encoding="utf-8").split() == [str(root), str(root), str(root / "conf")]
