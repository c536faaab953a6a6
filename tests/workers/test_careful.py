"""What cannot be scored is left out, and nothing else."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.errors import WorkerError
from emotion_udf.workers.careful import Careful
from emotion_udf.workers.process import UnscorableError


class Scorer:
    """Cannot score bad numbers, and fails so many times besides."""

    def __init__(self, bad: set[int], failures: int = 0) -> None:
        self.bad, self.failures = bad, failures
        self.calls = 0

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.calls += 1
        if self.calls <= self.failures or self.bad & set(numbers):
            raise UnscorableError("the process ended by SIGSEGV")
        return [-number for number in numbers]


def answered(careful: Careful[int, list[int]], numbers: Sequence[int]) -> list[tuple[int, int | None]]:
    found: list[tuple[int, int | None]] = []
    for part, answer in careful.answers(numbers):
        found += zip(part, answer if answer is not None else [None] * len(part), strict=True)
    return found


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=10))))
def test_each_text_is_answered_once_in_order_and_only_bad_ones_are_not(case: tuple[int, set[int]]) -> None:
    rows, bad = case
    scorer = Scorer(bad)
    found = answered(Careful(scorer), range(rows))
    assert found == [(number, None if number in bad else -number) for number in range(rows)]
    assert scorer.calls == (1 + rows + len(bad) if bad else 1)


def test_a_process_that_ends_once_costs_no_text() -> None:
    assert answered(Careful(Scorer(set(), failures=1)), range(5)) == [(n, -n) for n in range(5)]
    assert answered(Careful(Scorer(set(), failures=2)), range(5)) == [(n, -n) for n in range(5)]


def test_too_many_bad_texts_of_a_task_are_an_error() -> None:
    careful = Careful(Scorer({0, 1, 2}), most=2)
    assert answered(careful, [0, 1, 7]) == [(0, None), (1, None), (7, -7)]
    with pytest.raises(WorkerError, match=r"at most 2 texts of a task .* SIGSEGV"):
        answered(careful, [2])


def test_a_log_tells_why_and_of_what_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answered(Careful(Scorer({123456})), [123456])
    assert "SIGSEGV" in caplog.text
    assert "123456" not in caplog.text
