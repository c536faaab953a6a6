import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.audit.changes import UNCLEAR, Change, changed_share, paired_interval, share_changes
from emotion_udf.emotions import EMOTIONS

EMOTION = st.sampled_from(EMOTIONS)
COUNT = st.integers(1, 1_000)


@st.composite
def changes(draw: st.DrawFn) -> Change:
    texts = draw(COUNT)
    copies = draw(st.integers(1, 5))
    return Change(
        draw(EMOTION), draw(st.booleans()), draw(EMOTION), draw(st.booleans()), texts * copies, texts, texts * copies**2
    )


@given(st.lists(changes(), max_size=10))
def test_shares_are_shares_and_the_interval_holds_the_difference(found: list[Change]) -> None:
    shares = share_changes(found)
    assert [share.label for share in shares] == [*EMOTIONS, UNCLEAR]
    assert sum(share.old for share in shares[:-1]) == pytest.approx(1 if found else 0)
    assert sum(share.difference for share in shares[:-1]) == pytest.approx(0)
    for share in shares:
        assert 0 <= share.old <= 1
        assert 0 <= share.new <= 1
        assert -1 <= share.low <= share.high <= 1


def test_without_copies_it_is_the_published_interval() -> None:
    # Bonett and Price (2012): n = 50, 20 by the first only, 2 by the second only, written out by hand.
    first, second = 21 / 52, 3 / 52
    half = 1.959963984540054 * math.sqrt((first + second - (second - first) ** 2) / 52)
    assert paired_interval((20, 20), (2, 2), (28, 28)) == pytest.approx(
        (second - first - half, second - first + half), abs=1e-12
    )


def test_a_thousand_copies_of_one_text_tell_as_much_as_one() -> None:
    low, high = paired_interval((0, 0), (1_000, 1_000**2), (9_000, 9_000))
    copied = high - low
    low, high = paired_interval((0, 0), (1_000, 1_000), (9_000, 9_000))
    assert copied > 20 * (high - low)


def test_no_change_at_all_still_has_an_interval() -> None:
    low, high = paired_interval((0, 0), (0, 0), (100, 100))
    assert low < 0 < high
    assert high < 0.05


def test_shares_of_a_small_table() -> None:
    found = [
        Change("joy", True, "joy", True, 6, 6, 6),
        Change("joy", False, "anger", True, 3, 3, 3),
        Change("anger", True, "anger", False, 1, 1, 1),
    ]
    shares = {share.label: (share.old, share.new) for share in share_changes(found)}
    assert shares["joy"] == pytest.approx((0.9, 0.6))
    assert shares["anger"] == pytest.approx((0.1, 0.4))
    assert shares["fear"] == (0, 0)
    assert shares[UNCLEAR] == pytest.approx((0.3, 0.1))
    assert changed_share(found) == pytest.approx(0.3)
    assert changed_share([]) == 0
