import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emotion_udf.dashboard.quantify import label_given_true, true_shares

CONFUSION = np.full((6, 6), 5) + np.eye(6, dtype=int) * 200
mixes = arrays(np.float64, 6, elements=st.floats(0.001, 1)).map(lambda weights: weights / weights.sum())
matrices = arrays(np.int64, (6, 6), elements=st.integers(0, 100))


@given(mixes)
def test_true_shares_come_back_from_the_labels_that_they_give(mix: np.ndarray) -> None:
    given_true = label_given_true(CONFUSION)

    assert true_shares(mix @ given_true, given_true) == pytest.approx(mix, abs=2e-3)


@given(mixes, matrices)
def test_corrected_shares_are_shares_whatever_the_matrix(mix: np.ndarray, confusion: np.ndarray) -> None:
    shares = true_shares(mix, label_given_true(confusion))

    assert shares.min() >= 0
    assert shares.sum() == pytest.approx(1)


def test_labels_that_no_mix_explains_give_the_nearest_mix() -> None:
    shares = true_shares([1, 0, 0, 0, 0, 0], label_given_true(CONFUSION))

    assert shares == pytest.approx([1, 0, 0, 0, 0, 0], abs=1e-3)


def test_a_classifier_that_never_errs_needs_no_correction() -> None:
    observed = [0.5, 0.1, 0.1, 0.1, 0.1, 0.1]

    assert true_shares(observed, label_given_true(np.eye(6) * 1e9)) == pytest.approx(observed, abs=1e-6)
