"""The outcome of a gate, and the stop that a failed one causes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from emotion_udf.errors import GateError


@dataclass(frozen=True)
class GateResult:
    """One measured figure against its limit.

    Attributes:
        name: The figure.
        passed: Whether the night may be published as far as this gate is concerned.
        value: The figure as measured; None where there was nothing to measure it by.
        limit: The largest value that passes; of a gate `fewest_…` the smallest.
        hint: What to look at, or to change, when the gate fails; why there is no value.
        forced: The gate failed, and somebody asked to publish all the same.
    """

    name: str
    passed: bool
    value: float | None
    limit: float
    hint: str
    forced: bool = False


def at_most(name: str, value: float, limit: float, hint: str) -> GateResult:
    """Pass where `value` is no more than `limit`; NaN never passes."""
    return GateResult(name, value <= limit, value, limit, hint)


def at_least(name: str, value: float, limit: float, hint: str) -> GateResult:
    """Pass where `value` is no less than `limit`; NaN never passes."""
    return GateResult(name, value >= limit, value, limit, hint)


def not_measured(name: str, limit: float, reason: str) -> GateResult:
    """Pass for want of anything to compare with, and say so."""
    return GateResult(name, True, None, limit, reason)


def force(results: Sequence[GateResult], names: Collection[str]) -> list[GateResult]:
    """Let the failed gates of these names pass, and mark them."""
    return [
        replace(gate, passed=True, forced=True) if gate.name in names and not gate.passed else gate for gate in results
    ]


def require(results: Sequence[GateResult]) -> None:
    """Stop the night when a gate failed.

    Raises:
        GateError: Names every failed gate with its figure, its limit and its hint.
    """
    failed = [result for result in results if not result.passed]
    if failed:
        listed = "\n".join(f"  {gate.name}: {_figures(gate)}; {gate.hint}" for gate in failed)
        raise GateError(
            f"expected every gate to pass, found {len(failed)} that did not:\n{listed}\n"
            "  nothing was published, the tables stay as they were; where the night is as it should be, "
            f"publish it with --force {failed[0].name}"
        )


def _figures(gate: GateResult) -> str:
    side = "at least" if gate.name.startswith("fewest_") else "at most"
    return f"{gate.value:.6g}, {side} {gate.limit:.6g}" if gate.value is not None else "not measured"
