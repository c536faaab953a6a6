from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_udf.errors import GateError, UsageError
from emotion_udf.gates import Evidence, GateResult, check_forced, check_gates, require
from emotion_udf.gates.counts import check_counts
from emotion_udf.gates.result import at_least, at_most, force
from emotion_udf.settings.nightly import GateSettings

LIMITS = GateSettings(max_quarantined_share=0.05, max_refused_file_share=0.1)
GOOD = Evidence(read=100, expected=100, quarantined=5, labelled=95, daily_total=95, files=20, refused_files=2)


def failed(evidence: Evidence, settings: GateSettings = LIMITS) -> dict[str, tuple[float | None, float]]:
    """Return the failed gates with their figures and limits."""
    return {gate.name: (gate.value, gate.limit) for gate in check_counts(evidence, settings) if not gate.passed}


def test_a_night_at_its_limits_passes_every_gate() -> None:
    results = check_counts(GOOD, LIMITS)

    assert [(gate.name, gate.passed, gate.value, gate.limit) for gate in results] == [
        ("unread_rows", True, 0, 0),
        ("unaccounted_rows", True, 0, 0),
        ("aggregate_difference", True, 0, 0),
        ("bad_probabilities", True, 0, 0),
        ("quarantined_row_share", True, 0.05, 0.05),
        ("refused_file_share", True, 0.1, 0.1),
    ]
    require(results)


@pytest.mark.parametrize(
    ("changed", "name", "value", "limit"),
    [
        ({"read": 103, "expected": 103}, "unaccounted_rows", 3, 0),
        ({"expected": 160}, "unread_rows", 60, 0),
        ({"expected": 99}, "unread_rows", 1, 0),
        ({"labelled": 96, "daily_total": 96}, "unaccounted_rows", 1, 0),
        ({"daily_total": 93}, "aggregate_difference", 2, 0),
        ({"daily_total": 96}, "aggregate_difference", 1, 0),
        ({"bad_probabilities": 1}, "bad_probabilities", 1, 0),
        ({"quarantined": 6, "labelled": 94, "daily_total": 94}, "quarantined_row_share", 0.06, 0.05),
        ({"refused_files": 3}, "refused_file_share", 0.15, 0.1),
    ],
)
def test_each_gate_fails_by_itself(changed: dict[str, Any], name: str, value: float, limit: float) -> None:
    assert failed(replace(GOOD, **changed)) == {name: (value, limit)}


def test_rows_and_files_have_a_limit_each() -> None:
    bad_files = replace(GOOD, refused_files=20)
    assert set(failed(bad_files, GateSettings(max_quarantined_share=1))) == {"refused_file_share"}
    assert failed(bad_files, GateSettings(max_refused_file_share=1)) == {}


def test_a_night_without_rows_passes() -> None:
    nothing_allowed = GateSettings(max_quarantined_share=0, max_refused_file_share=0)
    assert failed(Evidence(), nothing_allowed) == {}


def test_refused_files_count_where_no_row_could_be_read() -> None:
    assert failed(Evidence(files=2, refused_files=2)) == {"refused_file_share": (1.0, 0.1)}


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_no_row_can_be_lost_or_doubled_unnoticed(read: int, quarantined: int, labelled: int) -> None:
    gates = check_counts(Evidence(read, read, quarantined, labelled, daily_total=labelled), GateSettings())
    (gate,) = (gate for gate in gates if gate.name == "unaccounted_rows")
    assert gate.passed == (read == quarantined + labelled)


def test_a_figure_that_is_no_number_does_not_pass() -> None:
    assert not at_most("share", float("nan"), 1.0, "look").passed
    assert not at_least("share", float("nan"), 1.0, "look").passed


def test_the_error_names_each_failed_gate_with_its_figure_limit_and_own_hint() -> None:
    with pytest.raises(GateError) as caught:
        require(check_counts(replace(GOOD, read=200, expected=200, refused_files=20), LIMITS))

    first, lost, files, last = str(caught.value).splitlines()
    assert "2 that did not" in first
    assert "unaccounted_rows: 100, at most 0" in lost
    assert "max_quarantined_share" not in lost, "raising a share is no remedy for lost rows"
    assert "refused_file_share: 1, at most 0.1" in files
    assert "gate.max_refused_file_share" in files
    assert "nothing was published" in last


def test_a_passed_gate_is_not_in_the_error() -> None:
    with pytest.raises(GateError) as caught:
        require([GateResult("good", True, 1, 2, "fine"), GateResult("bad", False, 3, 2, "mend it")])
    assert "good" not in str(caught.value)


def test_a_first_night_has_no_history_and_says_so() -> None:
    results = {gate.name: gate for gate in check_gates(GOOD, LIMITS)}
    for name in ("fewest_of_weekday", "fewest_of_published", "label_drift", "baseline_drift"):
        assert (results[name].passed, results[name].value) == (True, None)
        assert results[name].hint


def test_a_forced_gate_passes_and_is_marked() -> None:
    failing = check_counts(replace(GOOD, refused_files=20), LIMITS)
    results = {gate.name: (gate.passed, gate.forced) for gate in force(failing, ["refused_file_share"])}
    assert results["refused_file_share"] == (True, True)
    assert results["unaccounted_rows"] == (True, False)


def test_a_gate_that_passes_is_not_marked_as_forced() -> None:
    assert not any(gate.forced for gate in force(check_counts(GOOD, LIMITS), ["refused_file_share"]))


def test_a_gate_that_does_not_exist_cannot_be_forced() -> None:
    with pytest.raises(UsageError, match=r"refused_file_share.*found refused_files"):
        check_forced(["label_drift", "refused_files"], LIMITS)
    check_forced(["label_drift", "refused_file_share"], LIMITS)


def test_the_error_says_how_to_publish_all_the_same() -> None:
    with pytest.raises(GateError, match="--force refused_file_share"):
        require(check_counts(replace(GOOD, refused_files=20), LIMITS))
