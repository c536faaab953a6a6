"""Figures of predictions, against scikit-learn and against cases that are worked out by hand."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, precision_score, recall_score

from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.emotions import EMOTIONS
from emotion_udf.training.calibrate import expected_calibration_error, with_temperature
from emotion_udf.training.evaluate import Metrics, Predictions, metrics_of, predict
from emotion_udf.training.labels import NEUTRAL, LabelledTexts, label_number
from tests.helpers.training import TEST, Trained

PLAIN = ModelConfig(dim=32, hidden_dim=64, n_heads=4, n_layers=2, vocab_size=30522, max_position_embeddings=64)
ALL = list(range(6))


def predictions_of(probabilities: list[list[float]] | np.ndarray, labels: list[int] | np.ndarray) -> Predictions:
    rows = len(labels)
    return Predictions(
        np.asarray(probabilities, dtype=np.float32),
        np.asarray(labels, dtype=np.int64),
        np.full(rows, 10, np.int32),
        np.zeros(rows, np.bool_),
        unknown_tokens=np.zeros(rows, np.int32),
        seconds=2.0,
    )


def random_predictions(rows: int = 80, seed: int = 1, emotions: int = 6) -> Predictions:
    """Predictions that are often right, of the first so many emotions."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, emotions, rows)
    logits = rng.normal(size=(rows, 6)) + 2 * np.eye(6)[labels]
    return predictions_of(softmax(logits, axis=1), labels)


@cache
def measured(temperature: float | None = None, min_confidence: float = 0.5, fitted: float | None = None) -> Metrics:
    """Measure `random_predictions`; resampling takes a second, so each case is measured once."""
    configuration = replace(PLAIN, temperature=temperature, min_confidence=min_confidence)
    return metrics_of(random_predictions(), configuration, fitted)


def sure(label: int, confidence: float) -> list[float]:
    row = [(1 - confidence) / 5] * 6
    row[label] = confidence
    return row


# Figures


@pytest.mark.parametrize("emotions", [6, 4])
def test_figures_are_those_of_scikit_learn(emotions: int) -> None:
    predictions = random_predictions(emotions=emotions)
    labels = predictions.labels
    given = predictions.probabilities.argmax(axis=1)
    found = measured() if emotions == 6 else metrics_of(predictions, PLAIN)
    assert found.sentences == 80
    assert found.accuracy == pytest.approx(accuracy_score(labels, given))
    probabilities = predictions.probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert found.loss == pytest.approx(log_loss(labels, probabilities, labels=ALL), abs=1e-6)
    for average, figure in (("macro", found.macro_f1), ("weighted", found.weighted_f1)):
        there = range(emotions)  # an emotion that no sentence has is no part of the mean
        assert figure == pytest.approx(f1_score(labels, given, labels=there, average=average, zero_division=0))
    assert found.confusion == confusion_matrix(labels, given, labels=ALL).tolist()
    assert list(found.emotions) == list(EMOTIONS)
    each = {
        "precision": precision_score(labels, given, labels=ALL, average=None, zero_division=0),
        "recall": recall_score(labels, given, labels=ALL, average=None, zero_division=0),
        "f1": f1_score(labels, given, labels=ALL, average=None, zero_division=0),
        "support": np.bincount(labels, minlength=6),
    }
    for number, emotion in enumerate(EMOTIONS):
        figures = found.emotions[emotion].model_dump()
        assert figures == pytest.approx({name: values[number] for name, values in each.items()})


def test_figures_of_four_sentences_are_those_worked_out_by_hand() -> None:
    rows = [sure(0, 0.75), sure(0, 0.5), sure(1, 0.75), sure(1, 0.75)]
    found = metrics_of(predictions_of(rows, [0, 1, 1, 1]), PLAIN)
    assert found.accuracy == 0.75
    assert found.loss == pytest.approx((-3 * np.log(0.75) - np.log(0.1)) / 4, abs=1e-6)
    assert found.emotions["sadness"].model_dump() == pytest.approx(
        {"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": 1}
    )
    assert found.emotions["joy"].model_dump() == pytest.approx(
        {"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "support": 3}
    )
    assert found.emotions["love"].model_dump() == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert found.macro_f1 == pytest.approx((2 / 3 + 0.8) / 2)
    assert found.weighted_f1 == pytest.approx((2 / 3 + 3 * 0.8) / 4)
    assert found.confusion[0][:2] == [1, 0]
    assert found.confusion[1][:2] == [1, 2]
    assert sum(map(sum, found.confusion)) == 4
    assert found.samples_per_s == 2.0


def test_all_right_is_all_ones() -> None:
    found = metrics_of(predictions_of(np.eye(6), ALL), PLAIN)
    assert (found.accuracy, found.loss, found.macro_f1, found.weighted_f1) == (1, 0, 1, 1)
    assert found.intervals["accuracy"].model_dump() == {"low": 1, "high": 1}
    assert found.expected_calibration_error.model_dump() == {"before": 0, "after": 0}


def test_a_right_label_of_probability_0_costs_much_but_is_finite() -> None:
    found = metrics_of(predictions_of(np.eye(6), [1, 2, 3, 4, 5, 0]), PLAIN)
    assert found.accuracy == 0
    assert 80 < found.loss < 100


def test_one_sentence_has_figures() -> None:
    found = metrics_of(predictions_of([sure(1, 0.75)], [1]), PLAIN)
    assert found.accuracy == 1


# Intervals


def test_intervals_hold_the_figure_and_are_the_same_again() -> None:
    found = measured()
    assert list(found.intervals) == ["accuracy", "loss", "macro_f1", "weighted_f1"]
    for name, interval in found.intervals.items():
        assert interval.low < getattr(found, name) < interval.high, name
    assert metrics_of(random_predictions(), PLAIN).intervals == found.intervals


def test_the_interval_of_accuracy_is_that_of_the_binomial_distribution() -> None:
    predictions = random_predictions(rows=400)
    found = metrics_of(predictions, PLAIN)
    half = 1.96 * np.sqrt(found.accuracy * (1 - found.accuracy) / 400)
    interval = found.intervals["accuracy"]
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.15)


# Confidence


def test_confident_is_what_reaches_the_threshold() -> None:
    rows = [sure(0, 0.7), sure(1, 0.9), sure(2, 0.95), sure(3, 0.69)]
    found = metrics_of(predictions_of(rows, [0, 1, 0, 3]), replace(PLAIN, min_confidence=0.7))
    assert (found.min_confidence, found.confident_share) == (0.7, 0.75)
    assert found.confident_accuracy == pytest.approx(2 / 3)


def test_when_nothing_is_confident_its_accuracy_is_null() -> None:
    found = measured(min_confidence=1.0)
    assert (found.confident_share, found.confident_accuracy) == (0, None)
    assert '"confident_accuracy":null' in found.model_dump_json()


def test_a_model_without_a_threshold_is_measured_at_the_usual_one() -> None:
    assert measured().min_confidence == 0.5


# Labels that are no single emotion


def test_a_label_may_fit_without_being_the_only_one() -> None:
    rows = [sure(1, 0.75), sure(2, 0.5), sure(0, 0.5)]
    found = predictions_of(rows, [label_number([1, 2]), label_number([1, 2]), NEUTRAL])
    assert found.correct.tolist() == [True, True, False]
    np.testing.assert_allclose(found.losses[:2], [-np.log(0.8), -np.log(0.6)], rtol=1e-6)
    assert found.losses[2] == pytest.approx(-(np.log(0.5) + 5 * np.log(0.1)) / 6)


def test_a_part_of_the_predictions_is_told_by_its_rows() -> None:
    found = predictions_of(np.eye(6), ALL)
    some = found.take(found.labels < 2)
    assert some.labels.tolist() == [0, 1]
    assert some.seconds == pytest.approx(found.seconds / 3)


# Temperature


@pytest.mark.parametrize("fitted", [None, 3.0])
def test_a_stored_temperature_is_taken_out_for_before(fitted: float | None) -> None:
    predictions = random_predictions()
    labels = predictions.labels
    found = measured(temperature=2.0, fitted=fitted)
    raw = with_temperature(predictions.probabilities, 0.5)
    assert found.temperature == 2.0
    assert found.expected_calibration_error.before == expected_calibration_error(raw, labels)
    assert found.expected_calibration_error.after == expected_calibration_error(predictions.probabilities, labels)


def test_a_fitted_temperature_is_put_in_for_after() -> None:
    predictions = random_predictions()
    labels = predictions.labels
    found = measured(fitted=2.0)
    plain = measured()
    scaled = with_temperature(predictions.probabilities, 2.0)
    assert (found.temperature, plain.temperature) == (2.0, 1.0)
    assert found.expected_calibration_error.before == expected_calibration_error(predictions.probabilities, labels)
    assert found.expected_calibration_error.after == expected_calibration_error(scaled, labels)
    assert plain.expected_calibration_error.before == plain.expected_calibration_error.after
    assert found.loss == plain.loss  # figures are those of the model as it is


# As JSON


def test_metrics_survive_json() -> None:
    for found in (measured(), measured(min_confidence=1.0), measured(fitted=2.0)):
        assert Metrics.model_validate_json(found.model_dump_json()) == found


# Predictions


@pytest.fixture(scope="module")
def tiny(trained: Trained) -> Classifier:
    """The recipe's classifier, which reads 64 tokens."""
    return load_classifier(open_artifact(ArtifactSource(str(trained.folder))), "cpu")


def test_predictions_are_the_classifiers_own_scores(tiny: Classifier) -> None:
    found = predict(tiny, TEST)
    scores = tiny.score(TEST.texts)
    np.testing.assert_array_equal(found.probabilities, scores.probabilities)
    assert found.labels.tolist() == TEST.labels
    assert found.correct.tolist() == (scores.probabilities.argmax(axis=1) == TEST.labels).tolist()
    of_the_right_one = scores.probabilities[np.arange(60), TEST.labels]
    np.testing.assert_allclose(found.losses, -np.log(of_the_right_one), rtol=1e-6)
    assert found.seconds > 0


def test_truncated_sentences_are_counted(tiny: Classifier) -> None:
    found = predict(tiny, LabelledTexts(["so " * 62, "so " * 63, "so", "so " * 500], [0, 1, 2, 3]))
    assert found.token_counts.tolist() == [64, 65, 3, 502]
    assert found.is_truncated.tolist() == [False, True, False, True]
    assert metrics_of(found, tiny.artifact.configuration).truncated_share == 0.5


def test_unknown_tokens_are_counted(tiny: Classifier) -> None:
    found = predict(tiny, LabelledTexts(["i feel 𓀀", "fine 𓀀 𓁀", "so"], [0, 1, 2]))
    assert found.unknown_tokens.tolist() == [1, 2, 0]
    assert metrics_of(found, tiny.artifact.configuration).unknown_token_share == 3 / (5 + 5 + 3)


def test_unknown_tokens_of_truncated_sentences_are_a_share_of_what_was_looked_at(tiny: Classifier) -> None:
    found = predict(tiny, LabelledTexts(["𓀀 " * 500, "𓀀 " * 500], [0, 1]))
    share = metrics_of(found, tiny.artifact.configuration).unknown_token_share
    assert share in {62 / 64, 500 / 502}


def test_figures_of_a_trained_model_are_those_that_training_returned(tiny: Classifier, trained: Trained) -> None:
    found = metrics_of(predict(tiny, TEST), tiny.artifact.configuration)
    speed = {"samples_per_s": 0.0}
    assert found.model_copy(update=speed) == trained.metrics("test").model_copy(update=speed)
