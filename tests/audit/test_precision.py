import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.audit.draw import allocate
from emotion_udf.audit.precision import Stratum, precision, wilson


@st.composite
def strata(draw: st.DrawFn) -> Stratum:
    messages = draw(st.integers(1, 10_000))
    read = draw(st.integers(0, min(messages, 200)))
    return Stratum(messages, read, draw(st.integers(0, read)))


@given(st.lists(strata(), max_size=12))
def test_the_interval_holds_the_value_and_lies_between_0_and_1(given_strata: list[Stratum]) -> None:
    found = precision(given_strata)
    assert 0 <= found.low <= (found.low if found.value is None else found.value) <= found.high <= 1
    assert found.messages + found.unread == sum(stratum.messages for stratum in given_strata)
    assert (found.value is None) == (found.read == 0)


def test_strata_count_by_their_messages_and_not_by_what_was_read() -> None:
    found = precision([Stratum(9_000, 10, 9), Stratum(1_000, 10, 1)])
    assert found.value == pytest.approx(0.9 * 0.9 + 0.1 * 0.1)
    assert (found.messages, found.read) == (10_000, 20)


def test_of_one_large_stratum_it_is_wilsons_interval() -> None:
    # Newcombe (1998), table I: 81 of 263, without continuity correction.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    found = precision([Stratum(10**9, 263, 81)])
    assert (found.low, found.high) == pytest.approx(wilson(81 / 263, 263), abs=1e-6)


def test_what_was_read_whole_is_known() -> None:
    found = precision([Stratum(7, 7, 5), Stratum(3, 3, 3)])
    assert (found.low, found.value, found.high) == pytest.approx((0.8, 0.8, 0.8))


@pytest.mark.parametrize(("right", "value"), [(0, 0.0), (3, 1.0)])
def test_three_messages_of_one_kind_are_no_certainty(right: int, value: float) -> None:
    found = precision([Stratum(1_000, 3, right)])
    assert found.value == value
    assert found.high - found.low > 0.5


def test_a_stratum_of_which_nothing_was_read_is_left_out_and_told() -> None:
    found = precision([Stratum(60, 5, 5), Stratum(40, 0, 0)])
    assert (found.value, found.messages, found.unread) == (1.0, 60, 40)
    nothing = precision([Stratum(40, 0, 0)])
    assert (nothing.value, nothing.low, nothing.high, nothing.unread) == (None, 0.0, 1.0, 40)


@pytest.mark.parametrize(
    ("sizes", "rates", "read"),
    [
        ([8_000, 4_000], [0.95, 0.5], 25),
        ([80_000, 4_000], [0.9, 0.3], 12),
        ([40, 30], [0.9, 0.5], 30),
        ([100_000], [0.8], 50),
    ],
)
def test_nineteen_of_twenty_intervals_hold_the_truth(sizes: list[int], rates: list[float], read: int) -> None:
    generator = np.random.default_rng(0)
    right = [round(size * rate) for size, rate in zip(sizes, rates, strict=True)]
    granted = allocate({str(number): size for number, size in enumerate(sizes)}, read).values()
    truth = sum(right) / sum(sizes)
    held = 0
    for _ in range(1_000):
        found = [
            Stratum(size, n, int(generator.hypergeometric(good, size - good, n)))
            for size, good, n in zip(sizes, right, granted, strict=True)
        ]
        estimate = precision(found)
        held += estimate.low - 1e-9 <= truth <= estimate.high + 1e-9
    assert held / 1_000 > 0.93


def test_a_share_of_infinitely_many_observations_is_exact() -> None:
    assert wilson(0.3, math.inf) == (0.3, 0.3)
