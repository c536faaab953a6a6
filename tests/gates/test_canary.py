import pytest

from emotion_udf.gates import Canary, check_model
from emotion_udf.settings.nightly import GateSettings

LIMITS = GateSettings(max_canary_error_share=0.1, max_canary_change=0.05)


def check(canary: Canary, *forced: str) -> dict[str, tuple[bool, float | None, bool]]:
    return {gate.name: (gate.passed, gate.value, gate.forced) for gate in check_model(canary, LIMITS, forced)}


def test_a_model_that_says_what_it_did_passes() -> None:
    assert check(Canary(0.1, 0.05)) == {"canary_error_share": (True, 0.1, False), "canary_change": (True, 0.05, False)}


@pytest.mark.parametrize(
    ("canary", "failed"),
    [
        (Canary(0.2, 0.0), {"canary_error_share"}),
        (Canary(0.0, 0.06), {"canary_change"}),
        (Canary(0.0, float("nan")), {"canary_change"}),
    ],
)
def test_another_one_does_not(canary: Canary, failed: set[str]) -> None:
    assert {name for name, (passed, _, _) in check(canary).items() if not passed} == failed


def test_a_model_without_a_record_is_not_measured() -> None:
    assert check(Canary(0.0, None))["canary_change"] == (True, None, False)


def test_the_canary_can_be_forced() -> None:
    assert check(Canary(1.0, 0.0), "canary_error_share")["canary_error_share"] == (True, 1.0, True)
