"""Sentences and messages written for this project, and the one parser of their files.

All are of one hand. They measure a classifier, and training never sees them.

- `canary.txt`: 20 plain sentences an emotion, half of them as people type; any sane classifier of the six is right.
- `neutral.txt`: sentences without a feeling. There is no right label; a useful confidence sets them aside.
- `reviews.txt`, `support.txt`: 18 messages an emotion and 18 without a feeling, of 5 to 120 words, as customers write
  them about products, restaurants, hotels, films, books and apps, and to a support desk. The label is the feeling of
  the writer, whatever the topic.
"""

from pathlib import Path
from typing import Final

NEUTRAL: Final = "neutral"
"""The label of messages without a feeling."""

_FOLDER = Path(__file__).parent


def canary_sentences() -> list[tuple[str, str]]:
    """Return the canary sentences, each with the name of its emotion."""
    return _labelled("canary.txt")


def neutral_sentences() -> list[str]:
    """Return the sentences without a feeling."""
    return _lines("neutral.txt")


def review_messages() -> list[tuple[str, str]]:
    """Return the reviews, each with the name of its emotion or `NEUTRAL`."""
    return _labelled("reviews.txt")


def support_messages() -> list[tuple[str, str]]:
    """Return the messages to a support desk, each with the name of its emotion or `NEUTRAL`."""
    return _labelled("support.txt")


def probe_texts() -> list[str]:
    """Return the canary and the neutral sentences, in this order: short texts, by which engines are compared."""
    return [text for text, _ in canary_sentences()] + neutral_sentences()


def _labelled(name: str) -> list[tuple[str, str]]:
    """Read lines of `text;label`; a text may hold semicolons."""
    return [(text, label) for text, _, label in (line.rpartition(";") for line in _lines(name))]


def _lines(name: str) -> list[str]:
    return (_FOLDER / name).read_text(encoding="utf-8").splitlines()
