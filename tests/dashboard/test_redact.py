import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.dashboard.redact import MAX_CHARACTERS, redact


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call 0151 23456 please", "call #### ##### please"),
        ("write to Ann.Lee+shop@mail.example.org!", "write to [e-mail]"),
        ("@bob_1 and ＠eve look", "[name] and [name] look"),
        ("see https://example.org/a?id=5&x=@bob now", "see [link] now"),
        ("WWW.Example.org/orders/12 broke", "[link] broke"),
        ("<b>fine</b>", "<b>fine</b>"),
        ("left \u202eright", "left  right"),
        ("٣ pieces", "# pieces"),
        ("", ""),
    ],
)
def test_what_may_name_a_person_is_masked(text: str, masked: str) -> None:
    assert redact(text) == masked


@given(st.text() | st.from_regex(r"[a-z]{1,5}@[a-z]{1,5}\.(de|org) \d{3} @\w{2,5}"))
def test_no_digit_no_address_and_no_name_is_left(text: str) -> None:
    masked = redact(text)

    assert not re.search(r"\d|@\w|https?://\S", masked)
    assert len(masked) <= MAX_CHARACTERS


def test_long_messages_are_cut() -> None:
    assert redact("word " * 200).endswith("…")
