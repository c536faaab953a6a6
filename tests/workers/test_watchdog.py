"""A stopped process is ended, and no other one."""

import os
import signal
import subprocess
import sys

from emotion_udf.workers.watchdog import state_of

START = "from emotion_udf.workers.watchdog import start_watchdog; start_watchdog(1); start_watchdog(1)"


def run(then: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that starts its watchdog, and says how many children it has."""
    program = f"""
import os, signal, time
from pathlib import Path
{START}
print(Path(f"/proc/self/task/{{os.getpid()}}/children").read_text(), flush=True)
{then}
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


def test_a_process_that_is_stopped_is_killed() -> None:
    assert run("os.kill(os.getpid(), signal.SIGSTOP)").returncode == -signal.SIGKILL


def test_a_process_that_waits_is_left_alone_and_its_watchdog_goes_with_it() -> None:
    ended = run("time.sleep(3)")
    assert (ended.returncode, ended.stderr) == (0, "")
    # There was one. It has ended, too: what waits for the end of the output waits for both.
    assert len(ended.stdout.split()) == 1


def test_a_process_that_works_between_its_stops_is_left_alone() -> None:
    work_and_be_stopped = """
stopper = os.fork()
if stopper == 0:
    for _ in range(4):
        os.kill(os.getppid(), signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(os.getppid(), signal.SIGCONT)
        time.sleep(0.1)
    os._exit(0)
while os.waitpid(stopper, os.WNOHANG) == (0, 0):
    pass
"""
    assert run(work_and_be_stopped).returncode == 0


def test_the_state_of_a_process() -> None:
    before = state_of(os.getpid())
    sum(range(10**7))
    after = state_of(os.getpid())
    assert before[0] == after[0] == "R"
    assert after[1] > before[1]
