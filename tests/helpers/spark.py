"""Spark as tests start it: on two cores, and compiled once and quickly, since no test runs for long."""

import shlex

OPTIONS = (
    "--master=local[2,4]",  # a task is tried four times, as on a cluster
    "--driver-memory=2g",
    "--driver-java-options=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
)


def submit_arguments() -> str:
    """Return what `PYSPARK_SUBMIT_ARGS` says to a session that a test process starts."""
    return shlex.join([*OPTIONS, "pyspark-shell"])
