"""Gates on drift: distributions of tonight against those of the weeks before, and against a fixed baseline.

The measure is the Jensen-Shannon distance with natural logarithms: 0 for equal distributions, 0.83 for disjoint ones
(Lin, 1991; Endres and Schindelin, 2003). Two samples of one distribution differ by chance as well: the expected
divergence of n messages in k classes is about (k - 1) / (8 n). So the limit of a small day is wider.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from emotion_udf.emotions import EMOTIONS
from emotion_udf.gates.evidence import DayProfile, Evidence
from emotion_udf.gates.result import GateResult, at_most, not_measured
from emotion_udf.settings.nightly import GateSettings

# How many times the divergence that chance is expected to bring is granted to it.
_CHANCE = 4

Counts = Mapping[str, float]


def check_drift(evidence: Evidence, settings: GateSettings) -> list[GateResult]:
    """Compare the window with the published dates around it, and its labels with the settings' baseline."""
    distributions: dict[str, Callable[[DayProfile], Counts]] = {
        "label_drift": lambda day: day.emotions,
        "confidence_drift": lambda day: _two("low", day.low_confidence, day.labelled),
        "truncation_drift": lambda day: _two("truncated", day.truncated, day.labelled),
        "language_drift": lambda day: _two("foreign", day.foreign, day.labelled),
        "unknown_token_drift": lambda day: _two("unknown", day.unknown_tokens, day.tokens),
        "quarantine_drift": lambda day: {**day.refused, "accepted": day.labelled},
    }
    results = []
    for name, counts_of in distributions.items():
        tonight = _total(map(counts_of, evidence.tonight.values()))
        before = _total(map(counts_of, evidence.history.values()))
        results.append(_compare(name, tonight, before, settings.max_drift, "the published weeks before"))
    labels = _total(day.emotions for day in evidence.tonight.values())
    baseline = {emotion: settings.baseline.get(emotion, 0.0) * 1e9 for emotion in EMOTIONS} if settings.baseline else {}
    results.append(_compare("baseline_drift", labels, baseline, settings.max_drift, "gate.baseline"))
    return results


def distance(first: Counts, second: Counts) -> float:
    """Return the Jensen-Shannon distance of two distributions, given as counts."""
    from scipy.spatial.distance import jensenshannon  # half a second, which a first night need not pay

    names = sorted({*first, *second})
    return float(jensenshannon([first.get(name, 0) for name in names], [second.get(name, 0) for name in names]))


def widened(limit: float, classes: int, *sizes: float) -> float:
    """Return the limit for samples of these sizes: chance adds its share to the divergence, the square of the limit."""
    by_chance = sum((classes - 1) / (8 * size) for size in sizes)
    return math.sqrt(limit**2 + _CHANCE * by_chance)


def _compare(name: str, tonight: Counts, before: Counts, limit: float, against: str) -> GateResult:
    tonight_size = sum(tonight.values())
    before_size = sum(before.values())
    if not tonight_size or not before_size:
        return not_measured(name, limit, f"nothing to compare with in {against}" if tonight_size else "no message")
    classes = len({name for counts in (tonight, before) for name, count in counts.items() if count})
    return at_most(
        name,
        distance(tonight, before),
        widened(limit, classes, tonight_size, before_size),
        f"Jensen-Shannon distance from {against}; look at the shares, and at what the input's sources have changed, or "
        "raise gate.max_drift",
    )


def _two(name: str, part: int | None, whole: int | None) -> Counts:
    return {} if part is None or whole is None else {name: part, "rest": whole - part}


def _total(counts: Iterable[Counts]) -> Counts:
    total: Counter[str] = Counter()
    for one in counts:
        for name, count in one.items():
            total[name] += count  # type: ignore[assignment]  # a Counter adds floats as well
    return total
