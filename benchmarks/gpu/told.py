"""What people read: a line for each measurement, made of the figures that the JSON holds, and the table at the end."""

from collections.abc import Mapping
from typing import Any

from benchmarks.gpu.plan import GOAL_ROWS_PER_SECOND, GOAL_SHARE_OF_MATRIX_RATE, PUBLISHED_ROWS_PER_SECOND


def tell_rows(rate: float) -> str:
    """Return a rate in rows/s."""
    return f"{rate:>10,.0f} rows/s"


def tell_flops(rate: float) -> str:
    """Return a rate in FLOP/s; a CPU's has more digits."""
    return f"{rate / 1e12:,.1f} TFLOP/s" if rate >= 1e12 else f"{rate / 1e12:.4f} TFLOP/s"


def tell_scoring(figures: Mapping[str, Any]) -> str:
    """Return the rate of a scoring, and its shares of the matrix rates; nan of one that could not be measured."""
    shares, memory = figures["shares"], figures["peak_memory_gib"]
    of_square = shares.get("useful_share_of_square bf16", float("nan"))
    of_linear = shares.get(f"useful_share_of_linear {figures['precision']}", float("nan"))
    return (
        f"{tell_rows(figures['rows_per_second'])}, useful {tell_flops(figures['useful_flops_per_second'])}, "
        f"{of_square:.0%} of the square and {of_linear:.0%} of the linear rate"
        f"{'' if memory is None else f', {memory:.1f} GiB'}"
    )


def tell_profile(figures: Mapping[str, Any], on_gpu: bool) -> str:
    """Return how long a profiled device had something to do, and the operators that took the most of it."""
    slowest = ", ".join(f"{one['operator'][:48]} {one['share']:.0%}" for one in figures["operators"][:6])
    return f"{'GPU' if on_gpu else 'operators'} busy {figures['busy']:.0%} of the time; {slowest}"


def tell_attention(figures: Mapping[str, Any]) -> str:
    """Return which attention a batch got, and how far from fp32 it was."""
    errors = figures["largest_errors"]
    return (
        f"{'varlen kernel' if figures['unpadded'] else 'IN RUNS, no varlen kernel here'}: off by {errors['all']:.1e}, "
        f"first tokens {errors['first']:.1e}; in runs {errors['all_in_runs']:.1e}{_unless_it_holds(figures)}"
    )


def tell_parity(figures: Mapping[str, Any]) -> str:
    """Return how many labels equal those of fp32, and how many are right where labelled sentences were scored."""
    messages, labelled = figures["messages"], figures.get("labelled")
    right = f", {labelled['reference']:.2f} % and {labelled['engine']:.2f} % right" if labelled else ""
    return (
        f"{messages['equal_labels']:.2%} of {messages['rows']:,} labels equal, p99 {messages['changed']['p99']:.4f}"
        f"{right}{_unless_it_holds(figures)}"
    )


def _unless_it_holds(figures: Mapping[str, Any]) -> str:
    return "" if figures["holds"] else "; DOES NOT HOLD"


def tell(entry: Mapping[str, Any]) -> str:
    """Return what a measurement found, or what stopped it."""
    return f"FAILED: {entry['error']}" if "error" in entry else str(entry["text"])


def table(about: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what was measured on, the goals, and a line for each measurement.

    Args:
        about: The head of the JSON.
        found: Its measurements by name.
    """
    gpu = about["gpu"]["name"] if about["gpu"] else "no GPU"
    lines = [
        "",
        f"{gpu}, {about['machine']['cores']} cores of {about['machine']['cpu']}; {about['model']}; "
        f"{about['rows']:,} texts, {about['tokens_per_row']:.1f} tokens each",
        *(f"NOTE: {note}" for note in about["notes"]),
        f"goals: {GOAL_ROWS_PER_SECOND:,} rows/s and {GOAL_SHARE_OF_MATRIX_RATE:.0%} of the matrix rate; the published "
        f"card's evaluation ran at {PUBLISHED_ROWS_PER_SECOND:,} rows/s",
    ]
    for name, entry in found.items():
        goal = f"  [{entry['goal']}]" if entry.get("goal") else ""
        lines.append(f"{name:<52} {tell(entry)}{goal}")
    return "\n".join(lines) + "\n"
