"""Gates on volume: a date that is empty, far below its weekday, or far below what is published already."""

from datetime import date
from statistics import median

from emotion_udf.gates.evidence import DayProfile, Evidence
from emotion_udf.gates.result import GateResult, at_least, at_most, not_measured
from emotion_udf.settings.nightly import GateSettings


def check_volume(evidence: Evidence, settings: GateSettings) -> list[GateResult]:
    """Check how many messages each date of the window has."""
    return [
        _empty_dates(evidence, settings),
        _fewest_messages(evidence, settings),
        _weekday_share(evidence, settings),
        _replaced_share(evidence, settings),
    ]


def _empty_dates(evidence: Evidence, settings: GateSettings) -> GateResult:
    """Count the dates that would be published without a message, though nothing says that they may be."""
    unexpected = [
        day
        for day, profile in evidence.tonight.items()
        if not profile.labelled and not _may_be_empty(day, evidence, settings)
    ]
    return at_most(
        "empty_dates",
        len(unexpected),
        0,
        f"no message of {_listed(unexpected)}; check that the input has arrived, or set gate.allow_empty_dates",
    )


def _may_be_empty(day: date, evidence: Evidence, settings: GateSettings) -> bool:
    """Tell whether settings expect it, the date is published as empty, or its weekday always was."""
    if settings.allow_empty_dates:
        return True
    if day in evidence.published:
        return not evidence.published[day].labelled
    same = _same_weekday(day, evidence)
    return bool(same) and not any(profile.labelled for profile in same)


def _fewest_messages(evidence: Evidence, settings: GateSettings) -> GateResult:
    fewest = min((profile.labelled for profile in evidence.tonight.values() if profile.labelled), default=0)
    name = "fewest_messages"
    if not fewest:
        return not_measured(name, settings.min_messages, "no date has a message")
    return at_least(name, fewest, settings.min_messages, "messages of the smallest date; see gate.min_messages")


def _weekday_share(evidence: Evidence, settings: GateSettings) -> GateResult:
    """Compare each date with the median of the same weekdays of earlier releases; the worst date counts."""
    name = "fewest_of_weekday"
    shares = {}
    for day, profile in evidence.tonight.items():
        before = [past.labelled for past in _same_weekday(day, evidence) if past.labelled]
        if before and profile.labelled:
            shares[day] = profile.labelled / median(before)
    if not shares:
        return not_measured(name, settings.min_weekday_share, "no earlier release has the same weekday")
    worst = min(shares, key=lambda day: shares[day])
    return at_least(
        name,
        shares[worst],
        settings.min_weekday_share,
        f"messages of {worst} against the median of the same weekdays before; check that the input is complete, or "
        "lower gate.min_weekday_share",
    )


def _replaced_share(evidence: Evidence, settings: GateSettings) -> GateResult:
    """Compare each date that has messages with what the newest release shows of it; the worst date counts."""
    name = "fewest_of_published"
    shares = {
        day: profile.labelled / evidence.published[day].labelled
        for day, profile in evidence.tonight.items()
        if profile.labelled and day in evidence.published and evidence.published[day].labelled
    }
    if not shares:
        return not_measured(name, settings.min_replaced_share, "no date of the window is published with messages")
    worst = min(shares, key=lambda day: shares[day])
    return at_least(
        name,
        shares[worst],
        settings.min_replaced_share,
        f"messages of {worst} against the {evidence.published[worst].labelled} that are published; check that the "
        "input still has them",
    )


def _same_weekday(day: date, evidence: Evidence) -> list[DayProfile]:
    return [profile for past, profile in evidence.history.items() if past < day and past.weekday() == day.weekday()]


def _listed(days: list[date]) -> str:
    shown = ", ".join(str(day) for day in days[:3])
    return f"{shown} and {len(days) - 3} more" if len(days) > 3 else shown or "no date"
