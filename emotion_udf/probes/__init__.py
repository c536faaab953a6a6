"""Two small sets of sentences written for this project, and the one parser of their files.

- `canary.txt`: 20 plain sentences an emotion, half of them as people type; any sane classifier of the six is right.
- `neutral.txt`: sentences without a feeling. There is no right label; a useful confidence sets them aside.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent


def canary_sentences() -> list[tuple[str, str]]:
    """Return the canary sentences, each with the name of its emotion."""
    return [(text, emotion) for text, _, emotion in (line.rpartition(";") for line in _lines("canary.txt"))]


def neutral_sentences() -> list[str]:
    """Return the sentences without a feeling."""
    return _lines("neutral.txt")


def probe_texts() -> list[str]:
    """Return the texts of both sets, canary sentences first."""
    return [text for text, _ in canary_sentences()] + neutral_sentences()


def _lines(name: str) -> list[str]:
    return (_FOLDER / name).read_text(encoding="utf-8").splitlines()
