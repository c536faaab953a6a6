import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.classifier.batching import cut_by_token_budget, cut_into_windows

LENGTHS = st.lists(st.integers(1, 512), max_size=200)
BUDGETS = st.integers(1, 5_000)


def cut(lengths: list[int], budget: int) -> list[list[int]]:
    return [group.tolist() for group in cut_by_token_budget(lengths, budget)]


@given(LENGTHS, BUDGETS)
def test_every_row_is_in_exactly_one_group(lengths: list[int], budget: int) -> None:
    groups = cut(lengths, budget)
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    assert all(groups)


@given(LENGTHS, BUDGETS)
def test_no_group_of_several_rows_exceeds_the_budget(lengths: list[int], budget: int) -> None:
    for group in cut(lengths, budget):
        assert len(group) == 1 or sum(lengths[row] for row in group) <= budget


@given(LENGTHS, BUDGETS)
def test_a_group_ends_only_when_the_next_row_does_not_fit(lengths: list[int], budget: int) -> None:
    groups = cut(lengths, budget)
    for group, following in zip(groups, groups[1:], strict=False):  # noqa: RUF007
        assert sum(lengths[row] for row in group) + lengths[following[0]] > budget


@given(LENGTHS, BUDGETS)
def test_lengths_fall_from_row_to_row_and_equal_ones_keep_their_order(lengths: list[int], budget: int) -> None:
    order = [row for group in cut(lengths, budget) for row in group]
    assert order == sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))


def test_no_rows_make_no_groups() -> None:
    assert cut([], 10) == []
    assert cut_by_token_budget(np.array([], dtype=np.int32), 10) == []


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1]), (3, [3]), (4, [4]), (5, [4, 1]), (8, [4, 4]), (9, [4, 4, 1])])
def test_equal_rows_fill_groups_up_to_the_budget(rows: int, sizes: list[int]) -> None:
    assert [len(group) for group in cut([10] * rows, 40)] == sizes


def test_a_row_longer_than_the_budget_makes_its_own_group() -> None:
    assert cut([3, 100, 4], 10) == [[1], [2, 0]]
    assert cut([100, 100], 10) == [[0], [1]]


def test_the_longest_rows_come_first() -> None:
    assert cut([1, 5, 3, 5, 2], 10) == [[1, 3], [2, 4, 0]]


@pytest.mark.parametrize("budget", [0, -1])
@pytest.mark.parametrize("lengths", [[], [1, 2]])
def test_a_budget_without_tokens_is_refused(lengths: list[int], budget: int) -> None:
    with pytest.raises(ValueError, match=f"expected a token budget of at least 1, found {budget}"):
        cut_by_token_budget(lengths, budget)


@given(LENGTHS, BUDGETS)
def test_windows_hold_all_rows_in_order_and_no_more_tokens_than_one_row_above_the_most(
    lengths: list[int], most: int
) -> None:
    windows = [lengths[window] for window in cut_into_windows(lengths, most)]
    assert [length for window in windows for length in window] == lengths
    assert all(sum(window[:-1]) < most for window in windows)
    assert all(windows) or lengths == []


@given(LENGTHS)
def test_rows_that_fit_are_one_window(lengths: list[int]) -> None:
    assert cut_into_windows(lengths, max(1, sum(lengths))) == [slice(0, len(lengths))]


def test_windows_are_of_about_equal_work() -> None:
    assert cut_into_windows([10] * 11, 100) == [slice(0, 6), slice(6, 11)], "and not ten rows and a single one"
