import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.nightly.scoring import scoring_tasks

ROWS = st.integers(0, 10**9)
CORES = st.integers(1, 2_000)
ROWS_PER_TASK = st.integers(1_000, 1_000_000)


@given(ROWS, CORES, st.integers(1, 1_000_000))
def test_there_is_always_a_task(rows: int, cores: int, rows_per_task: int) -> None:
    assert scoring_tasks(rows, cores, rows_per_task) >= 1


@given(ROWS, CORES, ROWS_PER_TASK)
def test_no_task_holds_more_rows_than_it_should(rows: int, cores: int, rows_per_task: int) -> None:
    tasks = scoring_tasks(rows, cores, rows_per_task)
    assert math.ceil(rows / tasks) <= rows_per_task or tasks == 100 * cores


@given(CORES, ROWS_PER_TASK, st.integers(1, 10**6))
def test_with_enough_to_do_all_cores_work_in_whole_rounds(cores: int, rows_per_task: int, more: int) -> None:
    rows = cores * rows_per_task + more
    tasks = scoring_tasks(rows, cores, rows_per_task)
    rounds = min(100, math.ceil(rows / (cores * rows_per_task)))
    assert tasks == min(rounds * cores, math.ceil(rows / 1_000))
    assert tasks % cores == 0 or rows < rounds * cores * 1_000


@pytest.mark.parametrize(
    ("rows", "tasks"),
    [
        (0, 1),
        (1, 1),
        (1_000, 1),
        (1_001, 2),
        (8_000, 8),
        (100_000, 8),
        (160_000, 8),
        (160_001, 16),
        (400_000, 24),
        (10**9, 800),
    ],
)
def test_on_8_cores_with_20_000_rows_a_task(rows: int, tasks: int) -> None:
    assert scoring_tasks(rows, cores=8, rows_per_task=20_000) == tasks


def test_a_small_rows_per_task_is_kept() -> None:
    assert scoring_tasks(2_000, cores=1, rows_per_task=100) == 20
