"""Labels as numbers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.labelled import CLASSES
from emotion_udf.training.labels import FITS, NEUTRAL, UNLABELLED, LabelledTexts, fits, label_number


@given(st.sets(st.integers(0, 6), min_size=1))
def test_a_label_allows_its_classes_and_no_other(classes: set[int]) -> None:
    assert set(np.flatnonzero(FITS[label_number(classes)])) == classes


def test_an_emotion_has_its_own_number() -> None:
    assert [label_number([number]) for number in range(7)] == [0, 1, 2, 3, 4, 5, NEUTRAL]
    assert label_number(range(7)) == UNLABELLED == len(FITS) - 1
    assert FITS.shape == (127, len(CLASSES))


def test_sentences_part_into_those_with_an_emotion_neutral_ones_and_the_rest() -> None:
    positive = label_number([1, 2])
    unsure = label_number([1, NEUTRAL])
    labelled = LabelledTexts(["a", "b", "c", "d", "e"], [positive, 3, NEUTRAL, unsure, UNLABELLED])
    assert labelled.with_emotion == LabelledTexts(["b"], [3])
    assert labelled.neutral == LabelledTexts(["c"], [NEUTRAL])
    assert labelled.partial == LabelledTexts(["a"], [positive])
    assert labelled.take([4, 0]) == LabelledTexts(["e", "a"], [UNLABELLED, positive])
    assert labelled.take([]) + LabelledTexts(["x"], [1]) == LabelledTexts(["x"], [1])


@pytest.mark.parametrize(("label", "right"), [(3, {3}), (NEUTRAL, set()), (label_number([1, 2]), {1, 2})])
def test_an_emotion_fits_where_the_label_allows_it(label: int, right: set[int]) -> None:
    given_labels = np.arange(len(EMOTIONS))
    assert set(np.flatnonzero(fits([label] * 6, given_labels))) == right


def test_smaller_sets_come_first() -> None:
    sizes = FITS.sum(axis=1)
    assert all(first <= second for first, second in pairwise(sizes))
