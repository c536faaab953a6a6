"""What a task tells of its work, and when its last rows are known."""

import os
import time
from itertools import pairwise
from multiprocessing import get_context
from socket import gethostname

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.classifier.scores import NO_SCORES, Scores
from emotion_udf.workers.report import RowCount, TaskReport, read_reports

NONE = np.empty(0, np.int32)


def test_what_is_told_is_read_as_it_was() -> None:
    report = TaskReport.begin(is_again=True)
    report.loaded(2.5, 0.5)
    report.loaded(1.5, 0.75)
    report.scored(Scores(NO_SCORES.probabilities, NONE, NONE, NO_SCORES.is_truncated, 10, 15))
    report.engine = "torch fp32 on cpu, because bf16 failed parity (95.0% of labels equal)\n"
    line = report.line(4.0)
    (found,) = read_reports([None, line, None])
    assert "\n" not in line
    assert found == report
    assert (found.host, found.executor, found.worker) == (gethostname(), os.getppid(), os.getpid())
    assert (found.loads, found.load_seconds, found.opening_seconds, found.seconds) == (2, 4.0, 0.75, 4.0)
    assert (found.tokens, found.computed_tokens, found.is_again) == (10, 15, True)
    assert found.began_at <= found.ended_at


def _two_tasks() -> tuple[float, TaskReport, TaskReport]:
    time.sleep(0.2)
    return time.time(), TaskReport.begin(is_again=False), TaskReport.begin(is_again=False)


def test_a_worker_is_taken_for_its_first_task_when_it_is_made() -> None:
    """So that one that is made while another works does not look as if it came after it."""
    before = time.time()
    with get_context("fork").Pool(1) as pool:
        now, first, second = pool.apply(_two_tasks)
    assert before - 0.05 < first.began_at < now - 0.15
    assert second.began_at >= now - 0.01
    assert first.worker == second.worker != os.getpid()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.sets(st.integers(1, 30)))
def test_the_last_rows_are_those_after_which_none_come(chunks: list[int], cuts: set[int]) -> None:
    """They come out in other pieces than they went in."""
    count = RowCount()
    rows = sum(len(chunk) for chunk in count.take([range(size) for size in chunks]))
    borders = [0, *sorted(cut for cut in cuts if cut < rows), rows]
    last = [count.is_last(range(end - start)) for start, end in pairwise(borders)]
    assert last == [False] * (len(last) - 1) + [True]
    assert not count.is_last([])


def test_no_rows_are_the_last_while_more_may_come() -> None:
    count = RowCount()
    taken = count.take([[1, 2], [3]])
    next(taken)
    assert not count.is_last([1, 2])
    assert list(taken) == [[3]]
    assert count.is_last([3])
