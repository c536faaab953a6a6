"""Spark as tests start it: on two cores, and compiled once and quickly, since no test runs for long."""

import shlex

MASTER = "local[2,4]"
"""Two cores; a task is tried four times, as on a cluster."""

# Without room for all code, Java throws compiled code out and compiles it again; C1 alone has little by default.
JAVA = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"


def options(master: str = MASTER) -> list[str]:
    """Return the options of spark-submit."""
    return [f"--master={master}", "--driver-memory=2g", f"--driver-java-options={JAVA}"]


def submit_arguments() -> str:
    """Return what `PYSPARK_SUBMIT_ARGS` says to a session that a test process starts."""
    return shlex.join([*options(), "pyspark-shell"])
