"""Gates on the canary: the model says of the recorded sentences what it always did."""

from dataclasses import dataclass

from emotion_udf.gates.result import GateResult, at_most, not_measured
from emotion_udf.settings.nightly import GateSettings


@dataclass(frozen=True)
class Canary:
    """What the night's UDF said of the canary sentences.

    Attributes:
        error_share: The share of sentences whose label is not their emotion.
        change: The largest change of any probability from what the artifact recorded; None without a record.
    """

    error_share: float
    change: float | None


def check_canary(canary: Canary, settings: GateSettings) -> list[GateResult]:
    """Check the model before the night's messages are scored with it."""
    broken = "check the model folder, the device and classifier.precision"
    return [
        at_most("canary_error_share", canary.error_share, settings.max_canary_error_share, broken),
        at_most("canary_change", canary.change, settings.max_canary_change, f"from canary.json; {broken}")
        if canary.change is not None
        else not_measured("canary_change", settings.max_canary_change, "the model folder has no canary.json"),
    ]
