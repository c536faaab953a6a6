"""Every measurement in its order: matrix rates, whether results hold, which setting is fastest, and its parts alone."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from benchmarks.gpu.checks import check_attention, check_parity
from benchmarks.gpu.plan import Plan, Setting
from benchmarks.gpu.record import Found, Record
from benchmarks.gpu.speed import Bench, measure_linear, measure_square

Measure = Callable[[Setting], Found]


def measure_all(record: Record, bench: Bench, plan: Plan, texts: Sequence[str], labelled: Path) -> None:
    """Take every measurement, what others are compared with first.

    Args:
        record: Where they are written down.
        bench: What measures speed.
        plan: What to measure.
        texts: Messages to compare with fp32.
        labelled: Sentences with their labels, for the same.
    """
    ceilings = _take_ceilings(record, plan)
    _take_checks(record, plan, texts, labelled)
    score = partial(bench.score, ceilings=ceilings)
    best = _best_eager(record, plan, score)
    if best is None:
        return
    for part in plan.compiled:
        compiled = replace(best, compiled=part)
        record.take(str(compiled), partial(score, compiled))
    record.about["best_eager"] = asdict(best)
    parts: dict[str, Measure] = {
        "forward alone": partial(bench.forward_alone, ceilings=ceilings),
        "tokenize alone": bench.tokenize_alone,
        "cut and pack alone": bench.pack_alone,
        "profile": bench.profile,
    }
    for name, measure in parts.items():
        record.take(f"{name} of the best eager", partial(measure, best))


def _take_ceilings(record: Record, plan: Plan) -> dict[str, float]:
    """Return the matrix rates in FLOP/s by name, without those that failed."""
    taken = {
        f"linear {precision}": record.take(f"linear 768 x 3072 {precision}", partial(measure_linear, plan, precision))
        for precision in plan.precisions
    }
    taken["square bf16"] = record.take(f"square {plan.square:,} bf16", partial(measure_square, plan))
    return {name: entry["flops_per_second"] for name, entry in taken.items() if "error" not in entry}


def _take_checks(record: Record, plan: Plan, texts: Sequence[str], labelled: Path) -> None:
    for precision in plan.precisions:
        record.take(f"attention {precision}", partial(check_attention, plan.device, precision))
        parity = partial(check_parity, plan.device, precision, texts[: plan.parity_rows], labelled)
        record.take(f"parity {precision}", parity)


def _best_eager(record: Record, plan: Plan, score: Measure) -> Setting | None:
    """Return the fastest setting: of all budgets with the first window, then of all windows; None where all failed."""
    grid = [Setting(kind, budget, plan.windows[0]) for kind in plan.precisions for budget in plan.token_budgets]
    best = _best_of(record, score, grid)
    if best is None:
        return None
    return _best_of(record, score, [replace(best, window=window) for window in plan.windows[1:]], best)


def _best_of(
    record: Record, score: Measure, settings: Sequence[Setting], best: Setting | None = None
) -> Setting | None:
    """Score with each setting, and return the fastest of them and of `best`; None where all failed."""
    for setting in settings:
        entry = record.take(str(setting), partial(score, setting))
        rate = entry.get("rows_per_second", 0.0)
        if rate > (record.found[str(best)]["rows_per_second"] if best else 0.0):
            best = setting
    return best
