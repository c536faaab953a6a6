"""The comparison of starts."""

import pytest

from benchmarks.cold_start.contenders import (
    CONTENDERS,
    OURS,
    OURS_PREPARED,
    PIPELINE,
    PIPELINE_PREPARED,
    SPARK,
    SPARK_PREPARED,
)
from benchmarks.cold_start.starts import Starts
from benchmarks.cold_start.told import summarise, table_of

SECONDS = {
    OURS: [14.0, 15.0, 50.0],
    OURS_PREPARED: [9.0],
    PIPELINE: [20.0],
    PIPELINE_PREPARED: [12.0],
    SPARK: [5.0],
    SPARK_PREPARED: [4.5],
}


def test_the_summary_compares_medians() -> None:
    assert summarise(SECONDS) == pytest.approx(
        {
            "prepared_of_pipeline": 0.45,
            "of_pipeline": 0.75,
            "both_prepared_of_pipeline": 0.75,
            "spark_in_ours": 1 / 3,
            "spark_in_ours_prepared": 0.5,
            "spark_in_pipeline": 0.25,
        }
    )


@pytest.mark.parametrize(
    ("pipeline", "told"), [(20.0, "45% of hf-pipeline (goal: at most 50%, met)"), (15.0, "not met")]
)
def test_the_table_says_whether_the_goal_is_met(pipeline: float, told: str) -> None:
    phases = [{"Spark session": 2.0, "model loaded": 1.0}]
    starts = {contender: Starts([9.5], phases) for contender in CONTENDERS}
    table = table_of(starts, summarise(SECONDS | {PIPELINE: [pipeline]}))
    assert told in str(table.caption)
    assert table.row_count == len(CONTENDERS) + 2
