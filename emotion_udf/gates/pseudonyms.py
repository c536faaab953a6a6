"""The gate on pseudonyms: an id stands for the same message, and an author for the same person, on all dates."""

from emotion_udf.gates.result import GateResult, at_most, not_measured


def check_marks(changed_days: int | None) -> list[GateResult]:
    """Check that the dates which are published have the night's pseudonyms, or none like it.

    Args:
        changed_days: Published dates, other than the night's own, of a run with another key, with other columns in
            `input.pseudonymise`, or without pseudonyms where the night has some, and the other way round. None where
            nothing tells.
    """
    if changed_days is None:
        return [not_measured("changed_pseudonyms", 0, "runs cannot be read")]
    hint = (
        "published days have other pseudonyms; check input.pseudonymise and its key, or, where the change is meant, "
        "label these days again too"
    )
    return [at_most("changed_pseudonyms", changed_days, 0, hint)]
