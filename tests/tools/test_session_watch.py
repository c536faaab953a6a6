"""A watch over real processes."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.session_watch import SessionWatch

_WORK = """
import sys, time
held = bytearray(80 * 2**20)
until = time.process_time() + 0.3
while time.process_time() < until:
    pass
print("worked", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("mark", "role"), [("jobs/score_feedback.py", "driver_python"), ("x", "other")])
def test_what_a_session_took_is_known_by_role_and_by_time(mark: str, role: str) -> None:
    before = time.time()
    with subprocess.Popen(
        [sys.executable, "-c", _WORK, mark],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        watch = SessionWatch(process.pid)
        assert watch.cpu_between(before, time.time()) == 0.0, "nobody has looked yet"
        watch.sample()
        process.stdout.readline()
        assert watch.sample() >= 0.3
        process.stdin.close()
    assert 80 < watch.peak_mib.pop(role) < 200
    assert watch.peak_mib == {}
    assert watch.cpu_between(before, time.time()) > 0.2
    assert watch.cpu_between(time.time(), time.time() + 1) == 0.0


def test_a_session_that_has_ended_is_no_error(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", ""], start_new_session=True, cwd=tmp_path, check=True)
    assert SessionWatch(2**22 + ended.returncode).sample() == 0.0
