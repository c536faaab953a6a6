"""Example messages without what may name a person."""

import re
from typing import Final

MAX_CHARACTERS: Final = 280

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_NAME = re.compile(r"[@＠]\w+")  # also the wide @ of East Asian keyboards
_DIGIT = re.compile(r"\d")
_INVISIBLE = re.compile(r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def redact(text: str) -> str:
    """Replace links, e-mail addresses and @names by a word in brackets, and every digit by #.

    Names that people write out stay. Marks that turn the direction of writing go: they could make what follows the
    message read backwards.
    """
    text = _INVISIBLE.sub(" ", text)
    for pattern, word in ((_LINK, "[link]"), (_EMAIL, "[e-mail]"), (_NAME, "[name]"), (_DIGIT, "#")):
        text = pattern.sub(word, text)
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1].rstrip() + "…"
