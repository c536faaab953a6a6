"""What is told of the starts."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from rich.table import Table

from benchmarks.cold_start.contenders import (
    OURS,
    OURS_PREPARED,
    PIPELINE,
    PIPELINE_PREPARED,
    SPARK,
    SPARK_PREPARED,
    TRACED,
    Contender,
)
from benchmarks.cold_start.stamps import median_phases
from benchmarks.cold_start.starts import Starts

GOAL: Final = 0.5
"""This project's seconds, prepared, as a share of those of a pipeline that plain spark-submit starts, at most."""


def summarise(seconds: Mapping[Contender, Sequence[float]]) -> dict[str, float]:
    """Compare the medians of the contenders' seconds.

    Returns:
        `prepared_of_pipeline` is this project's share, prepared, of the pipeline's seconds under plain spark-submit;
        `of_pipeline` has both under plain spark-submit, `both_prepared_of_pipeline` has both prepared. The others are
        the shares of Spark alone.
    """
    at = {contender: median(values) for contender, values in seconds.items()}
    return {
        "prepared_of_pipeline": at[OURS_PREPARED] / at[PIPELINE],
        "of_pipeline": at[OURS] / at[PIPELINE],
        "both_prepared_of_pipeline": at[OURS_PREPARED] / at[PIPELINE_PREPARED],
        "spark_in_ours": at[SPARK] / at[OURS],
        "spark_in_ours_prepared": at[SPARK_PREPARED] / at[OURS_PREPARED],
        "spark_in_pipeline": at[SPARK] / at[PIPELINE],
    }


def table_of(starts: Mapping[Contender, Starts], summary: Mapping[str, float]) -> Table:
    """Return the terminal's table."""
    met = "met" if summary["prepared_of_pipeline"] <= GOAL else "not met"
    table = Table(
        title="From spark-submit to the first scored row, seconds",
        caption=f"{OURS_PREPARED.name} takes {summary['prepared_of_pipeline']:.0%} of {PIPELINE.name} (goal: at most "
        f"{GOAL:.0%}, {met}); {summary['of_pipeline']:.0%} where neither is prepared, "
        f"{summary['both_prepared_of_pipeline']:.0%} where both are. Spark alone is {summary['spark_in_ours']:.0%} of "
        f"{OURS.name}, {summary['spark_in_ours_prepared']:.0%} of it prepared.",
    )
    table.add_column("")
    for heading in ("median", "fastest", "slowest"):
        table.add_column(heading, justify="right")
    for contender, measured in starts.items():
        times = (median(measured.seconds), min(measured.seconds), max(measured.seconds))
        table.add_row(contender.name, *(f"{seconds:.2f}" for seconds in times))
    table.add_section()
    for phase, seconds in median_phases(starts[TRACED].phases).items():
        table.add_row(f"  {phase}", f"{seconds:.2f}")
    return table
