"""True shares from the labels of a classifier that is known to err: adjusted classify-and-count on the simplex.

`page/quantify.js` does the same in the page; this is what it is tested against, and what is measured
(`tools/measure_correction.py`). Adjusted classify-and-count (Forman 2008) solves `labelled = true @ given`, whose
solution may have shares below 0. The shares under which the labels are most likely are that solution where it has none
below 0, and the best that there is where it has.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMOOTHING: Final = 0.1
"""Added to each count of a confusion matrix: what was never seen to be confused may still be."""

_ROUNDS: Final = 500
_SMALL_STEP: Final = 1e-9


def label_given_true(confusion: ArrayLike) -> NDArray[np.float64]:
    """Return the probability of each label given the true emotion.

    Args:
        confusion: (6, 6) counts, a row a true emotion, a column a label.

    Returns:
        (6, 6), each row sums to 1.
    """
    counts = np.asarray(confusion, dtype=np.float64) + SMOOTHING
    given: NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return given


def true_shares(observed: ArrayLike, given: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the true shares under which the observed ones are most likely, by expectation-maximisation.

    Args:
        observed: (6,) shares of the labels.
        given: (6, 6) of `label_given_true`.

    Returns:
        (6,) shares, none below 0, that sum to 1.
    """
    labels = np.asarray(observed, dtype=np.float64)
    shares = np.full(len(given), 1 / len(given))
    for _ in range(_ROUNDS):
        before = shares
        joint = shares[:, None] * given  # (true, label)
        shares = (joint * (labels / joint.sum(axis=0))).sum(axis=1)
        if np.abs(shares - before).max() < _SMALL_STEP:
            break
    return shares
