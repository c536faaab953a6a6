"""Temperature, calibration error and threshold, against distributions that are known."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.training.batches import encode
from emotion_udf.training.calibrate import (
    Demand,
    expected_calibration_error,
    fit_temperature,
    fold_in,
    lowest_threshold,
    reliability,
    with_temperature,
)
from emotion_udf.training.validation import logits_of
from tests.helpers.training import VALIDATION, Start

Rows = NDArray[Any]

LOGITS = arrays.arrays(np.float64, st.tuples(st.integers(1, 8), st.just(6)), elements=st.floats(-8, 8))


def calibrated(count: int, seed: int) -> tuple[Rows, Rows]:
    """Return logits, and labels that are as frequent as the logits say."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 6)) * 2
    steps = softmax(logits, axis=1).cumsum(axis=1)
    return logits, np.minimum((rng.random((count, 1)) > steps).sum(axis=1), 5)


def sure_of(confidences: list[float], right: list[bool]) -> tuple[Rows, Rows]:
    """Return probabilities whose highest, of label 0, are the given ones, and labels that are right or not."""
    rest = [(1 - confidence) / 5 for confidence in confidences]
    probabilities = [[confidence, *[other] * 5] for confidence, other in zip(confidences, rest, strict=True)]
    return np.array(probabilities, dtype=np.float32), np.array([0 if hit else 1 for hit in right])


# Temperature


@pytest.mark.parametrize("temperature", [0.25, 0.8, 1.0, 1.7, 6.0])
def test_a_known_temperature_is_found(temperature: float) -> None:
    logits, labels = calibrated(20_000, seed=1)
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.04)


def test_log_probabilities_do_as_well_as_logits() -> None:
    logits, labels = calibrated(500, seed=2)
    found = fit_temperature(log_softmax(logits * 3, axis=1), labels)
    assert found == pytest.approx(fit_temperature(logits * 3, labels), rel=1e-4)


def test_the_temperature_of_a_hopeless_case_is_finite() -> None:
    logits = np.eye(6)
    assert np.exp(-5) <= fit_temperature(logits, np.arange(6)) < 0.1
    assert 10 < fit_temperature(logits, (np.arange(6) + 1) % 6) <= np.exp(5)


def test_the_fitted_temperature_calibrates() -> None:
    logits, labels = calibrated(20_000, seed=3)
    probabilities = softmax(logits * 3, axis=1)
    scaled = with_temperature(probabilities, fit_temperature(logits * 3, labels))
    assert expected_calibration_error(probabilities, labels) > 0.1
    assert expected_calibration_error(scaled, labels) < 0.02


@given(LOGITS, st.floats(0.2, 5))
def test_scaling_probabilities_is_scaling_logits(logits: Rows, temperature: float) -> None:
    scaled = with_temperature(softmax(logits, axis=1), temperature)
    np.testing.assert_allclose(scaled, softmax(logits / temperature, axis=1), atol=1e-9)
    np.testing.assert_allclose(scaled.sum(axis=1), 1, atol=1e-9)


@given(LOGITS, st.floats(0.2, 5))
def test_the_inverse_temperature_takes_it_back(logits: Rows, temperature: float) -> None:
    probabilities = softmax(logits, axis=1)
    there_and_back = with_temperature(with_temperature(probabilities, 1 / temperature), temperature)
    np.testing.assert_allclose(there_and_back, probabilities, atol=1e-6)


@given(LOGITS, st.floats(0.01, 100))
def test_no_temperature_changes_a_label(logits: Rows, temperature: float) -> None:
    probabilities = softmax(logits, axis=1)
    scaled = with_temperature(probabilities, temperature)
    rows = np.arange(len(scaled))
    # Where two are equal, or become equal, either of them may come first.
    np.testing.assert_allclose(scaled[rows, probabilities.argmax(axis=1)], scaled.max(axis=1), rtol=1e-12)


def test_a_probability_of_nothing_stays_finite() -> None:
    scaled = with_temperature(np.array([[1, 0, 0, 0, 0, 0]], dtype=np.float32), 2.0)
    assert np.isfinite(scaled).all()
    assert scaled.argmax() == 0


# Folding in


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_folding_in_divides_the_logits_and_keeps_the_labels(
    start: Start, tokenizer: MessageTokenizer, temperature: float
) -> None:
    network = start()
    torch.nn.init.normal_(network.classifier.bias)
    encoded = encode(VALIDATION, tokenizer)
    before = logits_of(network, encoded)
    fold_in(network, temperature)
    after = logits_of(network, encoded)
    np.testing.assert_allclose(after.numpy(), before.numpy() / temperature, atol=1e-6, rtol=1e-5)
    assert torch.equal(after.argmax(dim=1), before.argmax(dim=1))
    assert all(weight.requires_grad for weight in network.parameters())


def test_the_folded_probabilities_are_those_of_with_temperature(start: Start, tokenizer: MessageTokenizer) -> None:
    network = start()
    encoded = encode(VALIDATION, tokenizer)
    before = logits_of(network, encoded).softmax(dim=1).numpy()
    fold_in(network, 1.8)
    after = logits_of(network, encoded).softmax(dim=1).numpy()
    np.testing.assert_allclose(after, with_temperature(before, 1.8), atol=1e-6)


# Calibration error


def test_a_calibrated_classifier_has_no_error() -> None:
    probabilities, labels = sure_of([0.75] * 4 + [1.0] * 2, [True, True, True, False, True, True])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("confidences", "right", "error"),
    [
        ([1.0, 1.0], [True, False], 0.5),
        ([1.0], [False], 1.0),
        ([0.5], [True], 0.5),
        ([0.25, 0.9, 0.9, 0.9], [True, True, True, False], (1 * 0.75 + 3 * (0.9 - 2 / 3)) / 4),
        ([0.62, 0.64], [True, False], 0.13),  # one bin: 0.6 to 0.667
        ([0.65, 0.69], [True, False], (0.35 + 0.69) / 2),  # two bins
    ],
)
def test_the_error_is_the_mean_gap_over_the_sentences(
    confidences: list[float], right: list[bool], error: float
) -> None:
    assert expected_calibration_error(*sure_of(confidences, right)) == pytest.approx(error, abs=1e-6)


@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(6)), elements=st.floats(-8, 8)), st.data())
def test_the_error_is_from_0_to_1_and_every_sentence_is_in_a_bin(logits: Rows, data: st.DataObject) -> None:
    labels = np.array(data.draw(st.lists(st.integers(0, 5), min_size=len(logits), max_size=len(logits))))
    probabilities = softmax(logits, axis=1).astype(np.float32)
    bins = reliability(probabilities, labels)
    assert sum(count for _, _, count in bins) == len(labels)
    assert all(0 <= accuracy <= 1 and 1 / 6 - 1e-6 <= confidence <= 1 + 1e-6 for confidence, accuracy, _ in bins)
    assert [confidence for confidence, _, _ in bins] == sorted(confidence for confidence, _, _ in bins)
    assert len(bins) <= 15
    assert 0 <= expected_calibration_error(probabilities, labels) <= 1
    hits = sum(accuracy * count for _, accuracy, count in bins)
    assert hits == pytest.approx((probabilities.argmax(axis=1) == labels).sum())


def test_bins_without_a_sentence_are_left_out() -> None:
    bins = reliability(*sure_of([0.3, 0.98, 1.0], [True, False, True]))
    assert bins == [pytest.approx((0.3, 1.0, 1)), pytest.approx((0.99, 0.5, 2))]


# Threshold


def lowest(probabilities: Rows, labels: Rows, accuracy: float) -> float:
    """Return the threshold of a single source."""
    correct = probabilities.argmax(axis=1) == labels
    return lowest_threshold([Demand(probabilities.max(axis=1), correct, accuracy)])


def test_when_every_label_is_right_all_are_confident() -> None:
    assert lowest(*sure_of([0.3, 0.9], [True, True]), 0.97) == 0.0


def test_when_no_confidence_is_enough_none_is() -> None:
    assert lowest(*sure_of([0.3, 0.9], [False, False]), 0.97) == 1.0
    assert lowest(*sure_of([0.3, 0.9], [True, False]), 0.97) == 1.0


@pytest.mark.parametrize(
    ("confidences", "right", "accuracy", "threshold"),
    [
        ([0.5, 0.75], [False, True], 1.0, 0.501),
        ([0.5, 0.75], [False, True], 0.5, 0.0),
        ([0.5, 0.75, 0.875], [False, False, True], 0.5, 0.501),
        ([0.25, 0.5, 0.75, 0.875], [False, True, False, True], 0.6, 0.251),
        ([0.25, 0.5, 0.75, 0.875], [False, True, False, True], 0.7, 0.751),
        ([0.5, 0.5004, 0.75], [True, False, True], 1.0, 0.501),
    ],
)
def test_the_threshold_is_the_first_thousandth_that_is_enough(
    confidences: list[float], right: list[bool], accuracy: float, threshold: float
) -> None:
    assert lowest(*sure_of(confidences, right), accuracy) == threshold


@given(
    st.lists(st.tuples(st.integers(200, 1024), st.booleans()), min_size=1, max_size=30),
    st.sampled_from([0.5, 0.9, 0.97, 1.0]),
)
def test_from_the_threshold_on_labels_are_right_often_enough(rows: list[tuple[int, bool]], accuracy: float) -> None:
    probabilities, labels = sure_of([sure / 1024 for sure, _ in rows], [hit for _, hit in rows])
    threshold = lowest(probabilities, labels, accuracy)
    assert 0 <= threshold <= 1
    assert threshold == round(threshold, 3)
    confident = probabilities.max(axis=1) >= np.float32(threshold)  # as `is_confident` compares
    if threshold < 1:
        assert (labels[confident] == 0).mean() >= accuracy
    if threshold > 0:
        lower = probabilities.max(axis=1) >= np.float32(threshold - 0.001)
        assert not lower.any() or (labels[lower] == 0).mean() < accuracy


@pytest.mark.parametrize("confidence", [0.7, 0.95])
def test_a_confidence_at_the_threshold_counts_as_is_confident_counts_it(confidence: float) -> None:
    probabilities, labels = sure_of([confidence, 0.97], [False, True])
    threshold = lowest(probabilities, labels, 1.0)
    confident = probabilities.max(axis=1) >= np.float32(threshold)
    assert (labels[confident] == 0).mean() == 1.0


def demand(confidences: list[float], right: list[bool], accuracy: float, max_share: float = 1.0) -> Demand:
    return Demand(np.array(confidences, np.float32), np.array(right), accuracy, max_share)


def test_the_threshold_holds_for_every_source() -> None:
    easy = demand([0.3, 0.9], [True, True], 0.9)
    hard = demand([0.5, 0.7, 0.8], [False, True, True], 1.0)
    neutral = demand([0.2, 0.6, 0.75, 0.76], [False] * 4, 0.0, max_share=0.25)
    assert lowest_threshold([easy]) == 0.0
    assert lowest_threshold([easy, hard]) == 0.501
    assert lowest_threshold([easy, hard, neutral]) == 0.751
    assert lowest_threshold([neutral]) == 0.751


def test_a_source_of_which_nothing_would_be_confident_is_not_held() -> None:
    assert lowest_threshold([demand([0.5], [True], 0.9), demand([0.9], [False], 0.0, max_share=0.0)]) == 1.0


def test_sentences_may_count_differently_for_the_temperature() -> None:
    logits = np.log(np.array([[0.9, *[0.02] * 5], [0.6, *[0.08] * 5]]))
    sure, unsure = (fit_temperature(logits, np.array([0, 1]), np.array(w)) for w in ([10.0, 1.0], [1.0, 10.0]))
    assert sure < unsure
    assert fit_temperature(logits, np.array([0, 1]), np.array([3.0, 3.0])) == pytest.approx(
        fit_temperature(logits, np.array([0, 1])), rel=1e-3
    )
