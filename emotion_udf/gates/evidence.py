"""The figures of a finished night that its gates decide by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class DayProfile:
    """What a date's messages look like as a whole; None for what an earlier version did not count.

    Attributes:
        emotions: Messages by emotion.
        low_confidence: Messages whose label is not confident.
        truncated: Messages that are longer than the model reads.
        refused: Rows in quarantine by reason.
        foreign: Messages in a language that the model cannot read.
        tokens: Tokens of all messages.
        unknown_tokens: Those of them that are not in the model's vocabulary.
    """

    emotions: Mapping[str, int] = field(default_factory=dict)
    low_confidence: int = 0
    truncated: int | None = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    foreign: int | None = 0
    tokens: int | None = 0
    unknown_tokens: int | None = 0

    @property
    def labelled(self) -> int:
        """Messages with a label."""
        return sum(self.emotions.values())


@dataclass(frozen=True)
class Evidence:
    """Figures of a night and of the nights before it; counts of rows, unless a name says otherwise.

    Attributes:
        read: Rows of the window, as Spark read them.
        expected: Rows of the window, as footers and a second reader count them.
        quarantined: Rows that were refused.
        labelled: Rows of `emotion_labels`.
        daily_total: The sum of `feedback_count` over `emotion_daily`.
        bad_probabilities: Labels whose six probabilities are not all finite or do not sum to 1.
        files: Input files that can hold messages of the window, the refused ones included.
        refused_files: Those of them that could not be read with the others.
        tonight: Each date of the window.
        published: The window's dates as the newest release shows them; dates that were never published are missing.
        history: Published dates before and around the window, none of the window's own.
    """

    read: int = 0
    expected: int = 0
    quarantined: int = 0
    labelled: int = 0
    daily_total: int = 0
    bad_probabilities: int = 0
    files: int = 0
    refused_files: int = 0
    tonight: Mapping[date, DayProfile] = field(default_factory=dict)
    published: Mapping[date, DayProfile] = field(default_factory=dict)
    history: Mapping[date, DayProfile] = field(default_factory=dict)
