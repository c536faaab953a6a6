import pytest

from emotion_udf.gates import check_pseudonyms


@pytest.mark.parametrize(("days", "passed"), [(0, True), (1, False)])
def test_a_night_has_the_pseudonyms_of_the_days_before(days: int, passed: bool) -> None:
    (gate,) = check_pseudonyms(days)

    assert (gate.name, gate.passed, gate.value) == ("changed_pseudonyms", passed, days)


def test_a_change_that_is_meant_can_be_forced() -> None:
    (gate,) = check_pseudonyms(3, ["changed_pseudonyms"])

    assert (gate.passed, gate.forced) == (True, True)


def test_where_nothing_tells_of_the_published_days_nothing_is_compared() -> None:
    (gate,) = check_pseudonyms(None)
    assert (gate.passed, gate.value, gate.hint) == (True, None, "runs cannot be read")
