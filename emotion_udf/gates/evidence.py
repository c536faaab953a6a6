"""The figures of a finished night that its gates decide by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """Counts of what the steps of a night read and wrote; rows, unless a name says otherwise.

    Attributes:
        read: Rows of the window.
        quarantined: Rows that were refused.
        labelled: Rows of `emotion_labels`.
        daily_total: The sum of `feedback_count` over `emotion_daily`.
        files: Input files, the refused ones included.
        refused_files: Input files that could not be read with the others.
    """

    read: int = 0
    quarantined: int = 0
    labelled: int = 0
    daily_total: int = 0
    files: int = 0
    refused_files: int = 0
