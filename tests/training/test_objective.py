"""What sentences teach: labels, smoothing, partial labels, and teachers."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from emotion_udf.training.labels import FITS, NEUTRAL, UNLABELLED, label_number
from emotion_udf.training.objective import emotion_log_probabilities, fold_neutral, make_targets, teachable

POSITIVE = label_number([1, 2])
MAYBE_JOY = label_number([1, NEUTRAL])
EMOTION = st.integers(0, 5)
LABELS = st.lists(EMOTION, min_size=1, max_size=8)


def random_logits(rows: int, outputs: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(rows, outputs, generator=torch.Generator().manual_seed(seed)) * 3


def teacher(*probabilities: Sequence[float]) -> Tensor:
    return torch.tensor([[*row, *[0.0] * (7 - len(row))] for row in probabilities])


# Without teachers


@given(LABELS, st.floats(0, 0.99), st.sampled_from([6, 7]), st.integers(0, 1000))
def test_smoothing_is_that_of_torch(labels: list[int], smoothing: float, outputs: int, seed: int) -> None:
    logits = random_logits(len(labels), outputs, seed)
    found = make_targets(labels, smoothing, outputs=outputs).loss(logits, torch.arange(len(labels)))
    expected = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, torch.tensor(labels))
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)


@given(st.sets(EMOTION, min_size=2, max_size=5), st.floats(0, 0.5), st.integers(0, 1000))
def test_a_partial_label_trains_the_summed_probability_of_its_emotions(
    emotions: set[int], smoothing: float, seed: int
) -> None:
    logits = random_logits(1, 6, seed)
    found = make_targets([label_number(emotions)], smoothing).loss(logits, torch.tensor([0]))
    expected = -logits.softmax(dim=1)[0, sorted(emotions)].sum().log()
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_partial_label_with_neutral_needs_an_output_for_it() -> None:
    logits = random_logits(1, 7)
    found = make_targets([MAYBE_JOY], outputs=7).loss(logits, torch.tensor([0]))
    expected = -logits.softmax(dim=1)[0, [1, 6]].sum().log()
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)


def test_neutral_means_that_all_six_are_equally_probable_or_the_seventh_output() -> None:
    np.testing.assert_allclose(make_targets([NEUTRAL], 0.25).soft.numpy(), [[1 / 6] * 6], atol=1e-7)
    assert make_targets([NEUTRAL], outputs=7).soft.tolist() == [[0, 0, 0, 0, 0, 0, 1]]


def test_gradients_of_partial_labels_are_finite() -> None:
    logits = (random_logits(3) * 100).requires_grad_()
    make_targets([POSITIVE, 1, NEUTRAL]).loss(logits, torch.arange(3)).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_weights_count_what_they_say() -> None:
    logits = random_logits(2)
    targets = make_targets([1, POSITIVE], weights=[2.0, 0.5])
    alone = [make_targets([label]).loss(logits[[row]], torch.tensor([0])) for row, label in enumerate([1, POSITIVE])]
    assert targets.loss(logits, torch.arange(2)).item() == pytest.approx((2 * alone[0] + 0.5 * alone[1]).item() / 2)


def test_rows_may_be_taken_in_any_order() -> None:
    logits = random_logits(3)
    labels = [1, POSITIVE, NEUTRAL]
    reordered = make_targets([labels[row] for row in (2, 0, 1)]).loss(logits, torch.arange(3))
    assert make_targets(labels).loss(logits, torch.tensor([2, 0, 1])).item() == pytest.approx(reordered.item())


# Teachers


@given(
    st.lists(st.integers(0, UNLABELLED), min_size=1, max_size=8),
    st.floats(0, 0.99),
    st.floats(0.01, 1),
    st.floats(0.3, 3),
    st.integers(0, 1000),
)
def test_with_teachers_all_targets_are_probabilities_of_what_labels_allow(
    labels: list[int], smoothing: float, weight: float, temperature: float, seed: int
) -> None:
    said = random_logits(len(labels), 7, seed).softmax(dim=1)
    found = make_targets(
        labels, smoothing, teachers=said, teacher_weights=weight, teacher_temperature=temperature, outputs=7
    )
    assert (found.soft >= 0).all()
    np.testing.assert_allclose(found.soft.sum(dim=1).numpy(), 1, atol=1e-5)
    assert not found.is_partial.any()
    for label, target in zip(labels, found.soft, strict=True):
        if label > NEUTRAL:
            assert (target[~torch.from_numpy(FITS[label])] == 0).all()


def test_teachers_are_mixed_with_smoothed_labels_by_their_weight() -> None:
    said = teacher([0.4, 0.0, 0.0, 0.6])
    expected = [0.75 * 0.1 + 0.25 * 0.4, 0.075, 0.75 * 0.5, 0.75 * 0.1 + 0.25 * 0.6, 0.075, 0.075]
    found = make_targets([2, 2], 0.6, teachers=said.repeat(2, 1), teacher_weights=[0.25, 0.0]).soft
    assert found[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert found[1].tolist() == pytest.approx([0.1, 0.1, 0.5, 0.1, 0.1, 0.1])


def test_where_a_label_leaves_it_open_teachers_decide_among_what_it_allows() -> None:
    said = teacher([0.5, 0.3, 0.1, 0.0, 0.0, 0.1])
    found = make_targets([POSITIVE], 0.1, teachers=said, teacher_weights=0.5)
    assert found.soft[0].tolist() == pytest.approx([0, 0.75, 0.25, 0, 0, 0])
    assert make_targets([POSITIVE], teachers=said, teacher_weights=0.0).is_partial.all()


def test_what_teachers_call_neutral_is_spread_over_the_six_or_left_out() -> None:
    said = teacher([0.2, 0.2, 0, 0, 0, 0, 0.6])
    spread = make_targets([UNLABELLED], teachers=said).soft[0]
    assert spread.tolist() == pytest.approx([0.3, 0.3, 0.1, 0.1, 0.1, 0.1])
    assert make_targets([UNLABELLED], teachers=said, may_be_neutral=False).soft[0].tolist() == pytest.approx(
        [0.5, 0.5, 0, 0, 0, 0]
    )


def test_a_temperature_sharpens_the_emotions_and_leaves_neutral_as_it_is() -> None:
    said = teacher([0.2, 0.4, 0, 0, 0, 0, 0.4])
    found = make_targets([UNLABELLED], outputs=7, teachers=said, teacher_temperature=0.5).soft[0]
    assert found.tolist() == pytest.approx([0.6 * 0.2, 0.6 * 0.8, 0, 0, 0, 0, 0.4])


def test_where_teachers_say_nothing_labels_are_learnt() -> None:
    said = torch.full((2, 7), torch.nan)
    said[0] = teacher([1.0])[0]
    found = make_targets([3, 3], teachers=said, teacher_weights=1.0).soft
    assert found.tolist() == [[1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]]


@pytest.mark.parametrize(
    ("outputs", "said", "expected"),
    [
        (6, False, [True, True, True, False, False]),
        (7, False, [True, True, True, True, False]),
        (6, True, [True] * 5),
    ],
)
def test_what_nobody_can_say_is_not_taught(outputs: int, said: bool, expected: list[bool]) -> None:
    teachers = torch.full((5, 7), 1 / 7) if said else None
    assert teachable([1, NEUTRAL, POSITIVE, MAYBE_JOY, UNLABELLED], outputs, teachers).tolist() == expected


# Seven outputs seen as six


@given(st.integers(0, 1000))
def test_neutral_is_spread_evenly(seed: int) -> None:
    logits = random_logits(4, 7, seed)
    folded = fold_neutral(logits.softmax(dim=1))
    np.testing.assert_allclose(folded.sum(dim=1).numpy(), 1, atol=1e-6)
    np.testing.assert_allclose(emotion_log_probabilities(logits).exp().numpy(), folded.numpy(), atol=1e-6)
    assert (folded.argmax(dim=1) == logits[:, :6].argmax(dim=1)).all()
    np.testing.assert_allclose(
        emotion_log_probabilities(logits[:, :6]).numpy(), F.log_softmax(logits[:, :6], dim=1).numpy(), atol=1e-6
    )
