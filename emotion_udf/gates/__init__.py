"""Checks on a finished night before anything is published: `Evidence -> list[GateResult]`, without Spark and tables."""

from collections.abc import Collection

from emotion_udf.errors import UsageError
from emotion_udf.gates.canary import Canary, check_canary
from emotion_udf.gates.counts import check_counts
from emotion_udf.gates.drift import check_drift
from emotion_udf.gates.evidence import DayProfile, Evidence
from emotion_udf.gates.pseudonyms import check_marks
from emotion_udf.gates.result import GateResult, force, require
from emotion_udf.gates.volume import check_volume
from emotion_udf.settings.nightly import GateSettings

__all__ = [
    "Canary",
    "DayProfile",
    "Evidence",
    "GateResult",
    "check_forced",
    "check_gates",
    "check_model",
    "check_pseudonyms",
    "require",
]


def check_gates(evidence: Evidence, settings: GateSettings, forced: Collection[str] = ()) -> list[GateResult]:
    """Run every gate. None raises, so that all results can be recorded; `require` stops the night.

    Args:
        evidence: The night's figures.
        settings: The limits.
        forced: Names of gates that may fail; they pass, and are marked.
    """
    results = [
        *check_counts(evidence, settings),
        *check_volume(evidence, settings),
        *check_drift(evidence, settings),
    ]
    return force(results, forced)


def check_model(canary: Canary, settings: GateSettings, forced: Collection[str] = ()) -> list[GateResult]:
    """Run the gates that decide whether the night's messages are scored at all."""
    return force(check_canary(canary, settings), forced)


def check_pseudonyms(changed_days: int | None, forced: Collection[str] = ()) -> list[GateResult]:
    """Run the gate that decides whether the night's ids and authors are read at all (see `check_marks`)."""
    return force(check_marks(changed_days), forced)


def check_forced(names: Collection[str], settings: GateSettings) -> None:
    """Check that gates of these names exist, before any work is done for a night that forces them.

    Raises:
        UsageError: There is no gate of such a name.
    """
    results = [*check_pseudonyms(0), *check_model(Canary(0.0, None), settings), *check_gates(Evidence(), settings)]
    known = [gate.name for gate in results]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UsageError(f"expected --force to name a gate of {', '.join(known)}; found {', '.join(unknown)}")
