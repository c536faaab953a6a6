"""Lengths -> index groups: the second of the classifier's three phases."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def cut_by_token_budget(lengths: Sequence[int] | NDArray[np.integer], token_budget: int) -> list[NDArray[np.intp]]:
    """Group rows of similar length so that no group holds more than `token_budget` tokens.

    Rows are taken longest first, so the largest batch is met at once and not after an hour. The groups together
    hold every row exactly once; a row that is longer than the budget makes a group of its own.

    Args:
        lengths: Tokens of each row, at least 1 each.
        token_budget: Tokens a group may hold, at least 1.

    Returns:
        Row indices, lengths falling from group to group and inside each group.
    """
    if token_budget < 1:
        raise ValueError(f"expected a token budget of at least 1, found {token_budget}")
    if len(lengths) == 0:
        return []
    tokens = np.asarray(lengths)
    longest_first = np.argsort(-tokens, kind="stable")
    ends = np.cumsum(tokens[longest_first])
    groups = []
    start = 0
    while start < len(ends):
        held = int(ends[start - 1]) if start else 0  # tokens of the groups before
        end = max(start + 1, int(np.searchsorted(ends, held + token_budget, side="right")))
        groups.append(longest_first[start:end])
        start = end
    return groups


def cut_into_windows(lengths: Sequence[int] | NDArray[np.integer], most_tokens: int) -> list[slice]:
    """Cut rows, in their order, into windows of about equal work.

    Args:
        lengths: Tokens of each of N rows, at least 1 each.
        most_tokens: Tokens a window may hold, at least 1; the row that reaches them still belongs to it.

    Returns:
        Slices that hold every row once; a single one where all rows fit, also for no rows.
    """
    ends = np.cumsum(np.asarray(lengths, dtype=np.int64))
    total = int(ends[-1]) if len(ends) else 0
    windows = max(1, -(-total // most_tokens))
    window_of_row = (ends - lengths) * windows // max(1, total)
    borders = [0, *(np.flatnonzero(np.diff(window_of_row)) + 1).tolist(), len(lengths)]
    return [slice(start, end) for start, end in pairwise(borders)]
