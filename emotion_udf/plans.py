"""How Spark runs a plan, by how much there is to do."""

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
