"""Two pieces of Spark's work at once: where each plans and waits for most of its time, they hardly slow each other."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from pyspark.sql import SparkSession

Result = TypeVar("Result")


@contextmanager
def beside(spark: SparkSession, work: Callable[[], Result]) -> Iterator[Future[Result]]:
    """Do some work of Spark's in a thread, beside what the caller does meanwhile; if that fails, the work is cancelled.

    Yields:
        What will hold the work's result, or its error. It does when the caller's part has ended well.
    """
    with ThreadPoolExecutor(1, "beside") as pool:
        coming = pool.submit(work)
        try:
            yield coming
        except BaseException:
            with suppress(Exception):  # Spark itself may be gone
                spark.interruptAll()
            raise
