import re
from collections import Counter
from datetime import date
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.audit.draw import STRATA, allocate, draw, sample_id
from emotion_udf.emotions import EMOTIONS

DAY = date(2026, 10, 5)
COUNTS = st.dictionaries(st.sampled_from([f"s{n}" for n in range(STRATA)]), st.integers(1, 100_000), min_size=1)


def labels(count: int, first: int = 0) -> pa.RecordBatch:
    """Labels of which every third is anger, every seventh love, and the others joy; one of four is not confident."""
    numbers = range(first, first + count)
    emotion = ["anger" if n % 3 == 0 else "love" if n % 7 == 0 else "joy" for n in numbers]
    return pa.record_batch(
        {
            "event_date": pa.array([DAY] * count, pa.date32()),
            "feedback_id": [f"m{n}" for n in numbers],
            "emotion": emotion,
            "confidence": pa.array([0.5] * count, pa.float32()),
            "is_confident": [n % 4 != 0 for n in numbers],
            "model_fingerprint": ["f"] * count,
            "text_key": [f"k{n}" for n in numbers],
        }
    )


@given(COUNTS, st.integers(STRATA, 2_000))
def test_a_sample_has_its_size_and_each_stratum_a_part_in_it(counts: dict[str, int], size: int) -> None:
    granted = allocate(counts, size)
    assert sum(granted.values()) == min(size, sum(counts.values()))
    assert all(1 <= granted[stratum] <= count for stratum, count in counts.items())


@given(st.integers(100, 100_000), st.integers(100, 2_000))
def test_half_is_shared_equally_and_half_by_size(large: int, size: int) -> None:
    granted = allocate({"large": 9 * large, "small": large}, min(size, large))
    assert granted["small"] == pytest.approx(0.3 * min(size, large), abs=2)


def test_a_sample_does_not_depend_on_the_order_of_rows_nor_on_batches() -> None:
    whole = labels(1_000)
    shuffled = whole.take(pa.array(np.random.default_rng(0).permutation(1_000)))
    parts = [shuffled.slice(start, 170) for start in range(0, 1_000, 170)]
    assert draw(parts, 60, seed=7) == draw([whole], 60, seed=7)


def test_another_seed_draws_others() -> None:
    first, second = ({row.feedback_id for row in draw([labels(1_000)], 60, seed)} for seed in (0, 1))
    assert len(first) == len(second) == 60
    assert len(first & second) < 20


def test_each_message_knows_its_stratum_and_how_many_are_in_it() -> None:
    drawn = draw([labels(600), labels(400, first=600)], 60, seed=0)
    expected: Counter[str] = Counter()
    for row in labels(1_000).to_pylist():
        expected[f"{row['emotion']}/{'confident' if row['is_confident'] else 'unclear'}"] += 1
    assert {row.stratum: row.stratum_count for row in drawn} == expected
    assert all(row.stratum.startswith(row.emotion) and row.emotion in EMOTIONS for row in drawn)
    assert len({row.feedback_id for row in drawn}) == 60


def test_the_order_tells_no_stratum() -> None:
    drawn = draw([labels(1_000)], 120, seed=0)
    neighbours = sum(one.stratum == other.stratum for one, other in pairwise(drawn))
    assert neighbours < 60


def test_within_a_stratum_every_message_is_as_likely() -> None:
    times = Counter(row.feedback_id for seed in range(400) for row in draw([labels(60)], 12, seed))
    confident_joy = [times[f"m{n}"] for n in range(60) if n % 3 and n % 7 and n % 4]
    expected = sum(confident_joy) / len(confident_joy)
    assert max(confident_joy) < expected + 5 * expected**0.5
    assert min(confident_joy) > expected - 5 * expected**0.5


def test_fewer_messages_than_asked_for_are_all_drawn() -> None:
    assert len(draw([labels(9)], 300, seed=0)) == 9
    assert draw([], 300, seed=0) == []


def test_a_sample_is_named_for_what_is_in_it() -> None:
    drawn = draw([labels(100)], 12, seed=0)
    assert sample_id(drawn) == sample_id(draw([labels(100)], 12, seed=0))
    assert sample_id(drawn) != sample_id(draw([labels(101)], 12, seed=0))
    assert re.fullmatch("sample-[0-9a-f]{12}", sample_id(drawn))
