"""Fresh processes that do the same work at once."""

import os
import time
from functools import partial

import pytest

from benchmarks.processes import Processes


def append_and_sum(held: list[int], number: int) -> tuple[int, int]:
    held.append(number)
    return os.getpid(), sum(held)


def threads_of(_: list[int]) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def sleep(_: list[int]) -> float:
    time.sleep(0.5)
    return time.monotonic()


def fail_on_two(held: list[int]) -> None:
    if held == [2]:
        raise ValueError("no such row")


def test_each_process_keeps_its_object_and_all_work_at_once() -> None:
    with Processes([partial(list[int], [number]) for number in (1, 2)], threads=3) as processes:
        processes.call(partial(append_and_sum, number=10))
        found = processes.call(partial(append_and_sum, number=100))
        assert [total for _, total in found] == [111, 112]
        assert len({pid for pid, _ in found} | {os.getpid()}) == 3
        assert processes.call(threads_of) == ["3", "3"]
        ended = processes.call(sleep)
        assert abs(ended[0] - ended[1]) < 0.4


def test_what_fails_in_one_is_raised_and_the_others_go_on() -> None:
    with Processes([partial(list[int], [number]) for number in (1, 2)]) as processes:
        with pytest.raises(ValueError, match="no such row"):
            processes.call(fail_on_two)
        assert len(processes.call(threads_of)) == 2


def test_an_object_that_cannot_be_made_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="seven"):
        Processes([partial(int, "seven")])
