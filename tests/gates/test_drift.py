import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.emotions import EMOTIONS
from emotion_udf.gates import DayProfile, Evidence, GateResult
from emotion_udf.gates.drift import check_drift, distance, widened
from emotion_udf.settings.nightly import GateSettings

DAY = date(2026, 10, 5)
USUAL = dict(zip(EMOTIONS, (200, 400, 100, 150, 100, 50), strict=True))
ALL_SAD = {"sadness": 1_000}


def check(tonight: DayProfile, history: list[DayProfile], **settings: object) -> dict[str, GateResult]:
    evidence = Evidence(
        tonight={DAY: tonight},
        history={DAY - timedelta(days=n): profile for n, profile in enumerate(history, start=1)},
    )
    return {gate.name: gate for gate in check_drift(evidence, GateSettings.model_validate(settings))}


def test_a_usual_night_does_not_drift() -> None:
    found = check(DayProfile(USUAL, 300, 10, {"blank_text": 5}), [DayProfile(USUAL, 310, 11, {"blank_text": 4})] * 14)
    assert all(gate.passed for gate in found.values())
    assert all((gate.value or 0) < 0.05 for gate in found.values())


@pytest.mark.parametrize(
    ("tonight", "name"),
    [
        (DayProfile(ALL_SAD, 300, 10), "label_drift"),
        (DayProfile(USUAL, 990, 10), "confidence_drift"),
        (DayProfile(USUAL, 300, 500), "truncation_drift"),
        (DayProfile(USUAL, 300, 10, refused={"duplicate_id": 900}), "quarantine_drift"),
        (DayProfile(USUAL, 300, 10, foreign=400), "language_drift"),
        (DayProfile(USUAL, 300, 10, tokens=20_000, unknown_tokens=3_000), "unknown_token_drift"),
    ],
)
def test_each_distribution_has_a_gate(tonight: DayProfile, name: str) -> None:
    found = check(tonight, [DayProfile(USUAL, 300, 10, tokens=20_000, unknown_tokens=100)] * 14)
    assert [gate.name for gate in found.values() if not gate.passed] == [name]
    assert (found[name].value or 0) > found[name].limit


def test_labels_are_compared_with_a_fixed_baseline_too() -> None:
    """The weeks before may have drifted with tonight."""
    baseline = {emotion: count / 1_000 for emotion, count in USUAL.items()}
    drifted = DayProfile(ALL_SAD)
    found = check(drifted, [drifted] * 14, baseline=baseline)
    assert found["label_drift"].passed
    assert not found["baseline_drift"].passed
    assert check(DayProfile(USUAL), [drifted] * 14, baseline=baseline)["baseline_drift"].passed


def test_a_small_day_has_a_wider_limit() -> None:
    few = DayProfile({"joy": 4, "anger": 2})
    found = check(few, [DayProfile(USUAL)] * 14)["label_drift"]
    assert found.passed
    assert found.limit > 0.3


def test_an_empty_night_is_not_measured() -> None:
    assert all(gate.value is None and gate.passed for gate in check(DayProfile(), [DayProfile(USUAL)]).values())


def test_the_distance_is_known_where_it_can_be_worked_out() -> None:
    assert distance({"a": 1}, {"b": 7}) == pytest.approx(math.sqrt(math.log(2)))
    assert distance({"a": 1, "b": 3}, {"a": 10, "b": 30}) == pytest.approx(0, abs=1e-8)


SHARES = st.lists(st.integers(1, 1_000), min_size=6, max_size=6)


@given(SHARES, SHARES)
def test_the_distance_is_symmetric_and_bounded(first: list[int], second: list[int]) -> None:
    one = dict(zip(EMOTIONS, map(float, first), strict=True))
    two = dict(zip(EMOTIONS, map(float, second), strict=True))
    assert distance(one, two) == pytest.approx(distance(two, one))
    assert 0 <= distance(one, two) <= math.sqrt(math.log(2)) + 1e-9


@pytest.mark.parametrize("size", [5, 20, 100, 1_000])
def test_chance_alone_hardly_ever_fails_a_day(size: int) -> None:
    rng = np.random.default_rng(7)
    shares = np.array(list(USUAL.values())) / 1_000
    failed = 0
    for _ in range(500):
        sample = dict(zip(EMOTIONS, rng.multinomial(size, shares).tolist(), strict=True))
        failed += distance(sample, USUAL) > widened(0.1, 6, size, 1_000)
    assert failed <= 1


def test_what_earlier_versions_did_not_count_is_not_compared() -> None:
    before = DayProfile(USUAL, 300, foreign=None, tokens=None, unknown_tokens=None)
    found = check(DayProfile(USUAL, 300, foreign=500, tokens=9_000, unknown_tokens=4_000), [before] * 14)
    assert found["language_drift"].passed
    assert found["language_drift"].value is None
    assert found["unknown_token_drift"].value is None
