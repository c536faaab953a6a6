"""How Spark runs a plan, by how much there is to do."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from pyspark.sql import SparkSession

FEW_ROWS: Final = 10_000
"""As many are done by one task sooner than by several: each task, shuffle and job costs Spark some time of its own."""

FEW_BYTES: Final = 64 * 1024 * 1024
"""Of those rows together: what Spark itself would make one task of, behind a shuffle."""

FOR_FEW: Final[dict[str, str]] = {
    # One job for each plan, of stages of one task. Left to itself, Spark makes a job of every shuffle and broadcast and
    # plans the rest anew after it: that is most of what it does in a night of 1,000 rows.
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
}
"""Settings of the session for plans over few rows. What is joined to a long table has to be broadcast by a hint."""


_PARTITIONS: Final = "spark.sql.shuffle.partitions"
_INITIAL_PARTITIONS: Final = "spark.sql.adaptive.coalescePartitions.initialPartitionNum"

_PARTITION_BYTES: Final = 64 * 1024 * 1024
"""Of the rows of a shuffle's partition: a task sorts them in its memory, also where its share of a heap is small."""

_ROW_BYTES: Final = 256
"""Of a row of the night beside what came: its file's name, its key, and what each column takes in Spark's memory."""


def for_many(spark: SparkSession, rows: int, size: float) -> dict[str, str]:
    """Return the settings of the session for plans over many rows.

    Spark cuts each shuffle into 200 partitions, whatever there is. Adaptive execution puts small ones together, but
    does not cut large ones: of a hundred times the rows, each task would sort a hundred times as many, with the disk's
    help.

    Args:
        spark: The session, whose own number is taken where it is larger.
        rows: The rows.
        size: Their bytes before compression, which the night carries twice: as columns, and as they came.
    """
    wanted = math.ceil((2 * size + rows * _ROW_BYTES) / _PARTITION_BYTES)
    own = spark.conf.get(_INITIAL_PARTITIONS, None) or spark.conf.get(_PARTITIONS, "200")
    return {_INITIAL_PARTITIONS: str(wanted)} if wanted > int(own or 0) else {}


@contextmanager
def with_settings(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Change settings of the session, and set them back at the end."""
    before = {key: spark.conf.get(key, None) for key in settings}
    for key, value in settings.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, old in before.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)
