"""Checks on a finished night, before anything of it is published."""

from dataclasses import dataclass

from emotion_udf.errors import GateError
from emotion_udf.settings.nightly import GateSettings


@dataclass(frozen=True)
class NightCounts:
    """What the steps wrote. Rows, unless a name says otherwise."""

    read: int = 0
    quarantined: int = 0
    distinct_texts: int = 0
    reused_texts: int = 0
    """Those of them that an earlier run had scored."""
    labelled: int = 0
    daily_total: int = 0
    """The sum of `feedback_count` over `emotion_daily`."""
    files: int = 0
    refused_files: int = 0


@dataclass(frozen=True)
class GateResult:
    """One check: what it is called, how it ended, and the numbers."""

    name: str
    passed: bool
    detail: str


def check_night(counts: NightCounts, settings: GateSettings) -> list[GateResult]:
    """Run every check; nothing is raised, so that all results can be recorded."""
    row_share = counts.quarantined / counts.read if counts.read else 0.0
    file_share = counts.refused_files / counts.files if counts.files else 0.0
    limit = settings.max_quarantined_share
    return [
        GateResult(
            "nothing_lost",
            counts.read == counts.labelled + counts.quarantined,
            f"read {counts.read} = labelled {counts.labelled} + quarantined {counts.quarantined}",
        ),
        GateResult(
            "aggregates_sum_to_labels",
            counts.daily_total == counts.labelled,
            f"daily {counts.daily_total} = labelled {counts.labelled}",
        ),
        GateResult("quarantined_rows", row_share <= limit, f"share {row_share:.4f}, at most {limit}"),
        GateResult("refused_files", file_share <= limit, f"share {file_share:.4f}, at most {limit}"),
    ]


def require(results: list[GateResult]) -> None:
    """Stop the night when a check failed.

    Raises:
        GateError: Names every failed check with its numbers.
    """
    failed = [f"  {result.name}: {result.detail}" for result in results if not result.passed]
    if failed:
        listed = "\n".join(failed)
        raise GateError(
            f"expected every gate to pass, found {len(failed)} that did not:\n{listed}\n"
            "  nothing was published, the tables stay as they were; look at the input's quality, or raise "
            "gate.max_quarantined_share if it is as it should be"
        )
