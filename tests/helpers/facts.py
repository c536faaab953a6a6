"""What a message has to state, however it is worded."""


def unstated(facts: list[str], message: str) -> list[str]:
    """Return the facts that a message does not state in this order."""
    missing = []
    rest = message
    for fact in facts:
        before, found, after = rest.partition(fact)
        if not found:
            missing.append(fact)
        rest = after if found else before
    return missing
