"""The outcome of a gate, and the stop that a failed one causes."""

from collections.abc import Sequence
from dataclasses import dataclass

from emotion_udf.errors import GateError


@dataclass(frozen=True)
class GateResult:
    """One measured figure against its limit.

    Attributes:
        name: The figure.
        passed: Whether the night may be published as far as this gate is concerned.
        value: The figure as measured.
        limit: The largest value that passes.
        hint: What to look at, or to change, when the gate fails.
    """

    name: str
    passed: bool
    value: float
    limit: float
    hint: str


def at_most(name: str, value: float, limit: float, hint: str) -> GateResult:
    """Pass where `value` is no more than `limit`; NaN never passes."""
    return GateResult(name, value <= limit, value, limit, hint)


def require(results: Sequence[GateResult]) -> None:
    """Stop the night when a gate failed.

    Raises:
        GateError: Names every failed gate with its figure, its limit and its hint.
    """
    failed = [result for result in results if not result.passed]
    if failed:
        listed = "\n".join(f"  {gate.name}: {gate.value:.6g}, at most {gate.limit:.6g}; {gate.hint}" for gate in failed)
        raise GateError(
            f"expected every gate to pass, found {len(failed)} that did not:\n{listed}\n"
            "  nothing was published, the tables stay as they were"
        )
