"""Metrics of one set: emotions, signs and neutral sentences, by length, and as a table."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.training.by_source import SetMetrics, lengths_table, set_metrics, share_of, table_of
from emotion_udf.training.evaluate import Predictions
from emotion_udf.training.labels import NEUTRAL, UNLABELLED, label_number

CONFIG = ModelConfig(
    dim=32, hidden_dim=64, n_heads=4, n_layers=2, vocab_size=30522, max_position_embeddings=64, min_confidence=0.6
)
POSITIVE = label_number([1, 2])
NEGATIVE = label_number([0, 3, 4])


def predictions(rows: list[tuple[int, int, float]], tokens: list[int] | None = None) -> Predictions:
    """Make predictions of (label, predicted emotion, confidence) each."""
    probabilities = np.array([[(1 - sure) / 5] * 6 for _, _, sure in rows], dtype=np.float32)
    for row, (_, predicted, sure) in enumerate(rows):
        probabilities[row, predicted] = sure
    counts = np.array(tokens or [10] * len(rows), np.int32)
    return Predictions(
        probabilities,
        np.array([label for label, _, _ in rows], np.int64),
        counts,
        counts > 64,
        np.zeros(len(rows), np.int64),
        seconds=1.0,
    )


def measured(rows: list[tuple[int, int, float]], tokens: list[int] | None = None) -> SetMetrics:
    return set_metrics(predictions(rows, tokens), CONFIG, "a set", "validation")


MIXED = [
    (1, 1, 0.9), (1, 2, 0.9), (3, 3, 0.5), (0, 0, 0.7),  # three of four right, two of three confident ones
    (POSITIVE, 2, 0.9), (POSITIVE, 5, 0.9), (NEGATIVE, 4, 0.5),  # surprise fits no sign
    (NEUTRAL, 1, 0.9), (NEUTRAL, 1, 0.5), (NEUTRAL, 0, 0.3),
    (UNLABELLED, 0, 0.9),
]  # fmt: skip


def test_emotions_signs_and_neutral_sentences_are_counted_apart() -> None:
    found = measured(MIXED)
    assert found.emotions
    assert found.judged
    assert found.signs
    assert found.neutral
    assert (found.emotions.sentences, found.emotions.accuracy) == (4, 0.75)
    judged = found.judged
    assert (judged.correct.count, judged.confident.count, judged.confident_correct.count) == (3, 3, 2)
    assert (found.signs.correct.count, found.signs.correct.of, found.signs.confident_correct.of) == (2, 3, 2)
    assert (found.neutral.count, found.neutral.of) == (1, 3)
    assert found.confident_confusion
    assert np.sum(found.confident_confusion) == 3
    assert found.confident_confusion[1][1:3] == [1, 1]
    assert sum(group.correct.of for group in found.lengths) == 7


def test_what_a_set_does_not_have_is_null() -> None:
    signs = measured([(POSITIVE, 1, 0.9)])
    assert (signs.emotions, signs.judged, signs.confident_confusion, signs.neutral) == (None, None, None, None)
    neutral = measured([(NEUTRAL, 1, 0.9)])
    assert (neutral.emotions, neutral.signs, neutral.lengths) == (None, None, [])


def test_the_threshold_is_that_of_the_configuration() -> None:
    found = set_metrics(predictions(MIXED), replace(CONFIG, min_confidence=0.95), "a set", "test")
    assert found.judged
    assert (found.judged.confident.count, found.judged.confident_correct.share) == (0, None)


def test_sentences_are_grouped_by_their_tokens() -> None:
    rows = [(1, 1, 0.9), (1, 2, 0.9), (POSITIVE, 1, 0.9), (1, 1, 0.9), (NEUTRAL, 1, 0.9)]
    found = measured(rows, tokens=[3, 8, 9, 400, 5]).lengths
    assert [(g.longest, g.correct.count, g.correct.of, g.truncated) for g in found] == [
        (8, 1, 2, 0),
        (16, 1, 1, 0),
        (None, 1, 1, 1),
    ]


@given(st.lists(st.booleans(), max_size=60))
def test_a_share_lies_within_its_interval(chosen: list[bool]) -> None:
    found = share_of(np.array(chosen, dtype=bool))
    assert (found.count, found.of) == (sum(chosen), len(chosen))
    assert 0 <= found.low <= found.high <= 1
    if found.share is not None:
        assert found.low - 1e-9 <= found.share <= found.high + 1e-9


def test_the_interval_is_wilsons() -> None:
    found = share_of(np.arange(100) < 90)
    assert [found.low, found.high] == pytest.approx([0.8256, 0.9448], abs=1e-3)


def test_the_table_has_a_row_for_emotions_and_one_for_signs() -> None:
    head, emotions, signs, neutral = table_of([measured(MIXED), measured([(NEUTRAL, 1, 0.9)])])
    assert len(head) == len(emotions) == len(signs) == len(neutral)
    assert emotions[:4] == ["a set", "validation", "4", "75.0 %"]
    assert emotions[-1] == "33.3 %"
    assert signs[:4] == ["a set (sign)", "validation", "3", "66.7 %"]
    assert neutral[-1] == "100.0 %"
    assert set(neutral[2:-1]) == {"–"}


def test_the_table_by_length_has_a_column_for_each_group() -> None:
    head, row = lengths_table([measured([(1, 1, 0.9), (1, 2, 0.9)], tokens=[3, 70])])
    assert len(head) == len(row)
    assert row[2] == "100.0 % of 1"
    assert row[-1] == "1"
