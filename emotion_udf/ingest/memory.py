"""How much Spark may read at once: what one of the tasks that share a Java heap can hold."""

import os
import re
from dataclasses import dataclass
from typing import Final

from pyspark.sql import SparkSession

_MIB: Final = 1024 * 1024
_UNITS: Final = {"b": 1, "k": 1024, "m": _MIB, "g": 1024 * _MIB, "t": 1024 * 1024 * _MIB}
_HEAP: Final = "1g"  # Spark's default
_CORES: Final = "4"  # an executor's, where its manager gives it as many as there are


@dataclass(frozen=True)
class ReadLimits:
    """Bytes of values that a task can hold, before compression.

    Attributes:
        page: Of a page, which is decompressed as a whole.
        batch: Of the rows that are read together. A column that grows is copied into one of twice the size.
    """

    page: int = 512 * _MIB
    batch: int = 256 * _MIB


MOST: Final = ReadLimits()
"""What is asked of no worker, however large its heap."""


def read_limits(spark: SparkSession) -> ReadLimits:
    """Return what fits into a task's share of the heap."""
    share = _heap_bytes(spark) // _tasks_at_once(spark)
    return ReadLimits(min(MOST.page, share // 4), min(MOST.batch, share // 8))


def _heap_bytes(spark: SparkSession) -> int:
    size = spark.conf.get("spark.driver.memory" if _local_tasks(spark) else "spark.executor.memory", _HEAP)
    found = re.fullmatch(r"(\d+)([bkmgt]?)b?", str(size).strip().lower())
    if found is None:
        return _UNITS["g"]
    return int(found[1]) * _UNITS[found[2] or "m"]


def _tasks_at_once(spark: SparkSession) -> int:
    cores = _local_tasks(spark) or int(str(spark.conf.get("spark.executor.cores", _CORES)))
    return max(1, cores // int(str(spark.conf.get("spark.task.cpus", "1"))))


def _local_tasks(spark: SparkSession) -> int:
    """Return how many cores local mode has; 0 on a cluster, whose tasks run elsewhere."""
    found = re.match(r"local(?:\[(\d+|\*))?", str(spark.conf.get("spark.master", "")))
    if found is None:
        return 0
    return (os.cpu_count() or 1) if found[1] == "*" else int(found[1] or 1)
