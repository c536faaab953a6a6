"""Checks on a finished night before anything is published: `Evidence -> list[GateResult]`, without Spark and tables."""

from emotion_udf.gates.counts import check_counts
from emotion_udf.gates.evidence import Evidence
from emotion_udf.gates.result import GateResult, require
from emotion_udf.settings.nightly import GateSettings

__all__ = ["Evidence", "GateResult", "check_gates", "require"]


def check_gates(evidence: Evidence, settings: GateSettings) -> list[GateResult]:
    """Run every gate. None raises, so that all results can be recorded; `require` stops the night."""
    return check_counts(evidence, settings)
