"""The order in which training sees its sentences, and the form in which the network takes them."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.classifier.packing import LengthGroup
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.training.batches import Encoded, augment, batches_by_length, draw_rows, encode, shuffled_batches
from emotion_udf.training.labels import NEUTRAL, UNLABELLED, LabelledTexts, label_number
from tests.helpers.training import seeded, sentences

WINDOW = 50
LENGTHS = st.lists(st.integers(2, 12), min_size=1, max_size=80)
BATCH_SIZE = st.integers(1, 9)
SEED = st.integers(0, 1000)


def of_lengths(lengths: list[int]) -> Encoded:
    """Rows of these lengths, whose tokens are the row's number."""
    return Encoded([[row] * length for row, length in enumerate(lengths)], [row % 6 for row in range(len(lengths))])


def batches_of(encoded: Encoded, batch_size: int, seed: int) -> list[list[int]]:
    return list(shuffled_batches(encoded, batch_size, seeded(seed)))


def spans(encoded: Encoded, batches: list[list[int]]) -> list[tuple[int, int]]:
    """The shortest and the longest row of each batch, the shortest batches first."""
    lengths = [[len(encoded.token_ids[row]) for row in batch] for batch in batches]
    return sorted((min(batch), max(batch)) for batch in lengths)


def do_not_overlap(ordered: list[tuple[int, int]]) -> bool:
    return all(longest <= shortest for (_, longest), (shortest, _) in pairwise(ordered))


# Batches


@given(LENGTHS, BATCH_SIZE, SEED)
def test_every_row_is_seen_once_a_pass(lengths: list[int], batch_size: int, seed: int) -> None:
    batches = batches_of(of_lengths(lengths), batch_size, seed)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))


@given(LENGTHS, BATCH_SIZE, SEED)
def test_all_batches_are_full_but_one(lengths: list[int], batch_size: int, seed: int) -> None:
    sizes = sorted(map(len, batches_of(of_lengths(lengths), batch_size, seed)))
    assert len(sizes) == -(-len(lengths) // batch_size)
    assert 1 <= sizes[0] <= batch_size
    assert all(size == batch_size for size in sizes[1:])


@given(LENGTHS, SEED)
def test_rows_of_similar_length_share_a_batch(lengths: list[int], seed: int) -> None:
    encoded = of_lengths(lengths)
    assert do_not_overlap(spans(encoded, batches_of(encoded, 4, seed)))


def test_lengths_are_similar_within_each_window() -> None:
    rng = seeded(0)
    encoded = of_lengths([rng.randint(2, 60) for _ in range(2 * WINDOW * 3 + 5)])
    batches = batches_of(encoded, 3, seed=1)
    windows = [batches[start : start + WINDOW] for start in range(0, len(batches), WINDOW)]
    assert list(map(len, windows)) == [WINDOW, WINDOW, 2]
    assert all(do_not_overlap(spans(encoded, window)) for window in windows)
    assert not do_not_overlap(spans(encoded, batches))


def test_a_window_does_not_begin_with_its_shortest_rows() -> None:
    encoded = of_lengths(list(range(2, 42)))
    first = {min(len(encoded.token_ids[row]) for row in batches_of(encoded, 4, seed)[0]) for seed in range(20)}
    assert len(first) > 5


@given(LENGTHS, BATCH_SIZE, SEED)
def test_the_same_dice_give_the_same_batches(lengths: list[int], batch_size: int, seed: int) -> None:
    encoded = of_lengths(lengths)
    assert batches_of(encoded, batch_size, seed) == batches_of(encoded, batch_size, seed)


def test_other_dice_give_other_batches() -> None:
    encoded = of_lengths([5] * 60)
    compositions = {frozenset(map(frozenset, batches_of(encoded, 4, seed))) for seed in range(10)}
    assert len(compositions) == 10


def test_one_generator_gives_another_order_each_pass() -> None:
    encoded, rng = of_lengths([5] * 60), seeded(0)
    assert list(shuffled_batches(encoded, 4, rng)) != list(shuffled_batches(encoded, 4, rng))


def test_no_rows_give_no_batches() -> None:
    assert batches_of(Encoded([], []), 4, 0) == []
    assert batches_by_length(Encoded([], []), [], 4) == []


def test_rows_are_cut_into_batches_from_the_shortest_on() -> None:
    encoded = of_lengths([7, 3, 5, 3, 9, 2])
    assert batches_by_length(encoded, [0, 1, 2, 3, 4, 5], 4) == [[5, 1, 3, 2], [0, 4]]
    assert batches_by_length(encoded, [4, 2, 0], 2) == [[2, 0], [4]]


# What a batch is made of


def test_sentences_are_encoded_as_the_tokenizer_reads_them(tokenizer: MessageTokenizer) -> None:
    labelled = sentences(20, 1)
    encoded = encode(labelled, tokenizer)
    assert encoded.token_ids == tokenizer.encode(labelled.texts).token_ids
    assert encoded.labels == labelled.labels
    assert len(encoded) == 20


def test_rows_are_packed_end_to_end() -> None:
    encoded = Encoded([[11, 12, 13], [21, 22], [31, 32], [41]], [0, 1, 2, 3])
    token_ids, position_ids, runs = encoded.pack([3, 1, 2, 0], torch.device("cpu"))
    assert token_ids.tolist() == [41, 21, 22, 31, 32, 11, 12, 13]
    assert position_ids.tolist() == [0, 0, 1, 0, 1, 0, 1, 2]
    assert runs == [LengthGroup(0, 1, 1), LengthGroup(1, 2, 2), LengthGroup(5, 1, 3)]
    assert (token_ids.dtype, position_ids.dtype) == (torch.int32, torch.int32)


@given(LENGTHS, SEED)
def test_a_pack_holds_every_token_of_its_rows(lengths: list[int], seed: int) -> None:
    encoded = of_lengths(lengths)
    for batch in batches_of(encoded, 4, seed):
        token_ids, position_ids, runs = encoded.pack(batch, torch.device("cpu"))
        tokens = sum(lengths[row] for row in batch)
        assert token_ids.shape == position_ids.shape == (tokens,)
        assert sum(run.rows for run in runs) == len(batch)
        assert [run.length for run in runs for _ in range(run.rows)] == [lengths[row] for row in batch]
        assert len(runs) == len({lengths[row] for row in batch})  # sorted by length, so one run a length


# What an epoch shows


@given(st.lists(st.sampled_from([0.0, 0.3, 0.5, 1.0, 2.0, 2.5]), min_size=1, max_size=40), SEED)
def test_rows_are_drawn_as_often_as_asked(per_epoch: list[float], seed: int) -> None:
    rows = draw_rows(per_epoch, seeded(seed))
    counts = Counter(rows)
    assert all(int(often) <= counts[row] <= -(-often // 1) for row, often in enumerate(per_epoch))
    for often in set(per_epoch):
        same = [row for row, other in enumerate(per_epoch) if other == often]
        assert sum(counts[row] for row in same) == int(often) * len(same) + round(len(same) * (often % 1))


def test_a_sample_is_drawn_anew_each_epoch() -> None:
    rng = seeded(0)
    assert draw_rows([0.5] * 40, rng) != draw_rows([0.5] * 40, rng)
    assert draw_rows([0.5] * 40, seeded(0)) == draw_rows([0.5] * 40, seeded(0))


# Augmentation


def rewritten(labelled: LabelledTexts, share: float, seed: int = 0) -> dict[int, str]:
    return augment(labelled, list(range(len(labelled))), share, seeded(seed))


def test_nothing_is_rewritten_unless_asked_for() -> None:
    assert rewritten(sentences(240, 1), 0.0) == {}


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_a_share_of_the_sentences_is_rewritten(share: float) -> None:
    labelled = sentences(2000, 1)
    found = rewritten(labelled, share)
    assert len(found) / 2000 == pytest.approx(share, abs=0.03)
    # Not all change: a sentence of anger has no emoticon, and one without contractions no apostrophe.
    assert sum(text != labelled.texts[row] for row, text in found.items()) / len(found) > 0.85


def test_each_showing_is_rewritten_by_itself() -> None:
    labelled = sentences(6, 1)
    found = augment(labelled, [3] * 20, 1.0, seeded(0))
    assert list(found) == list(range(20))
    assert len(set(found.values())) > 5
    assert found == augment(labelled, [3] * 20, 1.0, seeded(0))
    assert found != augment(labelled, [3] * 20, 1.0, seeded(1))


@pytest.mark.parametrize("label", [NEUTRAL, UNLABELLED, label_number([1, 2]), label_number([1, NEUTRAL])])
def test_sentences_of_any_label_can_be_rewritten(label: int) -> None:
    labelled = LabelledTexts(["we went there by train"] * 50, [label] * 50)
    texts = "".join(rewritten(labelled, 1.0).values())
    assert not set("😢😭😡🤬😱😨😲😮") & set(texts)
    assert bool(set("😀😊❤😍") & set(texts)) == (label == label_number([1, 2]))
