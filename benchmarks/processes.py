"""Do the same work in several fresh processes at once, as Spark's Python workers do it."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Processes(Generic[T]):
    """Fresh processes that each hold one object, and all do to theirs at the same time what they are asked.

    Args:
        makers: What makes the object of each process, called there; picklable.
        threads: Threads of each process for the libraries that ask the environment; the machine's own by default.
    """

    def __init__(self, makers: Sequence[Callable[[], T]], threads: int | None = None) -> None:
        spawn = get_context("spawn")  # a fork would inherit torch's threads in an undefined state
        self._pools = [ProcessPoolExecutor(1, spawn, _limit_threads, (threads,)) for _ in makers]
        made = [pool.submit(_make, maker) for pool, maker in zip(self._pools, makers, strict=True)]
        for future in made:
            future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools:
            pool.shutdown()

    def call(self, work: Callable[[T], R], first: int | None = None) -> list[R]:
        """Call `work`, which is picklable, on the object of each of the `first` processes, by default all, in order.

        Raises:
            Exception: What `work` raises in the first process that fails; `BrokenProcessPool` where one died.
        """
        coming = [pool.submit(_work, work) for pool in self._pools[:first]]
        return [future.result() for future in coming]


_held: list[Any] = []  # the object of this process


def _limit_threads(threads: int | None) -> None:
    if threads:
        os.environ |= {"OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}


def _make(maker: Callable[[], Any]) -> None:
    _held.append(maker())


def _work(work: Callable[[Any], R]) -> R:
    return work(_held[0])
