"""The page's statistics against scipy and the formulas that they are named for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser
from scipy import special, stats

from emotion_udf.dashboard.page import part
from emotion_udf.dashboard.quantify import label_given_true, true_shares
from emotion_udf.emotions import EMOTIONS

Call = Callable[..., Any]


@pytest.fixture(scope="module")
def call(browser: Browser) -> Call:
    """Call a function of the page's scripts."""
    page = browser.new_page()
    for name in ("statistics.js", "quantify.js", "calendar.js", "matrices.js", "words.js"):
        page.add_script_tag(content=part(name))

    def evaluate(function: str, *arguments: object) -> Any:
        return page.evaluate(f"(given) => {function}(...given)", list(arguments))

    return evaluate


RNG = np.random.default_rng(5)
SHARES = [
    (int(RNG.integers(0, of + 1)), int(of), int(RNG.integers(0, of + 1)), int(of) + 7)
    for of in RNG.integers(1, 5000, 12)
]


@pytest.mark.parametrize("counts", [*SHARES, (0, 1, 1, 8), (0, 50, 57, 57)])
def test_intervals_are_those_of_wilson_and_newcombe(call: Call, counts: tuple[int, int, int, int]) -> None:
    ends = [stats.binomtest(k, n).proportion_ci(method="wilson") for k, n in (counts[:2], counts[2:])]
    found = [call("wilson", k / n, n) for k, n in (counts[:2], counts[2:])]

    for expected, one in zip(ends, found, strict=True):
        assert (one["low"], one["high"]) == pytest.approx((expected.low, expected.high), abs=1e-9)

    (p, q), ((l1, u1), (l0, u0)) = (counts[0] / counts[1], counts[2] / counts[3]), ends
    low = p - q - np.sqrt((p - l1) ** 2 + (u0 - q) ** 2)
    high = p - q + np.sqrt((u1 - p) ** 2 + (q - l0) ** 2)
    changed = call("difference", *found)
    assert (changed["change"], changed["low"], changed["high"]) == pytest.approx((p - q, low, high), abs=1e-9)


def test_false_discovery_rates_are_those_of_benjamini_and_hochberg(call: Call) -> None:
    values = RNG.random(60) ** 3

    assert call("benjaminiHochberg", values.tolist()) == pytest.approx(stats.false_discovery_control(values))
    assert call("benjaminiHochberg", []) == []


def test_the_p_value_is_that_of_the_pooled_test(call: Call) -> None:
    table = np.array([[60, 340], [41, 410]])
    expected = stats.chi2_contingency(table, correction=False).pvalue

    assert call("sameShare", 60 / 400, 400, 41 / 451, 451) == pytest.approx(expected, rel=1e-5)
    assert call("sameShare", 0, 400, 0, 451) == 1
    assert [call("erfc", x) for x in (-2, 0, 0.3, 4)] == pytest.approx(special.erfc([-2, 0, 0.3, 4]), rel=2e-7)


def test_the_parts_of_a_change_add_up_to_it(call: Call) -> None:
    weights = RNG.dirichlet(np.ones(9), 2)
    shares = RNG.random((2, 9))
    parts = [
        {period: {"share": shares[t][g], "weight": weights[t][g]} for t, period in enumerate(("now", "before"))}
        for g in range(9)
    ]

    found = call("decompose", parts)

    change = weights[0] @ shares[0] - weights[1] @ shares[1]
    assert sum(part["mix"] + part["within"] for part in found) == pytest.approx(change, abs=1e-14)
    assert found[0]["within"] == pytest.approx(weights[:, 0].mean() * (shares[0, 0] - shares[1, 0]))


def test_log_odds_are_those_of_monroe_colaresi_and_quinn(call: Call) -> None:
    y1, n1, y2, n2, a0 = 30, 900, 45, 5000, 500
    a = a0 * (y1 + y2) / (n1 + n2)
    delta = np.log((y1 + a) / (n1 + a0 - y1 - a)) - np.log((y2 + a) / (n2 + a0 - y2 - a))

    assert call("logOdds", y1, n1, y2, n2) == pytest.approx(delta / np.sqrt(1 / (y1 + a) + 1 / (y2 + a)))
    assert call("logOdds", 9, 900, 50, 5000) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_corrected_shares_are_those_of_python(call: Call, seed: int) -> None:
    rng = np.random.default_rng(seed)
    confusion = rng.integers(0, 40, (6, 6)) + np.diag(rng.integers(20, 300, 6))
    observed = rng.dirichlet(np.ones(6))

    given = call("labelGivenTrue", confusion.tolist())

    assert given == pytest.approx(label_given_true(confusion))
    found = call("trueShares", observed.tolist(), given)
    assert found == pytest.approx(true_shares(observed, label_given_true(confusion)), abs=1e-9)


def audit(stratum: str, size: int, label: str, human: str, count: int) -> dict[str, object]:
    found = {"sample_id": "s", "model_fingerprint": "m", "from_date": "", "to_date": "", "stratum": stratum}
    return found | {"stratum_count": size, "emotion": label, "human_emotion": human, "count": count}


def test_audits_weigh_by_their_strata(call: Call) -> None:
    rows = [
        audit("joy, confident", 900, "joy", "joy", 9),
        audit("joy, confident", 900, "joy", "none", 1),
        audit("anger, not confident", 100, "anger", "joy", 5),
        audit("anger, not confident", 100, "anger", "anger", 5),
    ]

    matrix = call("auditMatrix", rows, ["joy", "anger"])

    # Joy: 9 of 10 audits stand for 810 messages labelled joy, 5 of 10 for 50 labelled anger; 14 audits in all.
    assert matrix[0] == pytest.approx([14 * 810 / 860, 14 * 50 / 860])
    assert matrix[1] == pytest.approx([0, 5])


@pytest.mark.parametrize(("audited", "is_offered"), [(33, False), (34, True)])
def test_two_hundred_audits_make_a_matrix(call: Call, audited: int, is_offered: bool) -> None:
    rows = [audit(emotion, 1000, emotion, emotion, audited) for emotion in EMOTIONS]

    samples = call("auditsOf", rows, "m")
    offered = call("matricesOf", {"evaluation": None, "emotions": list(EMOTIONS)}, samples)

    assert [matrix["name"] for matrix in offered] == (["audits"] if is_offered else [])
    assert call("matricesOf", {"evaluation": None, "emotions": list(EMOTIONS)}, call("auditsOf", rows, "another")) == []


def test_the_bootstrap_spreads_as_the_counts_and_the_matrix_do(call: Call) -> None:
    mix = np.array([0.2, 0.3, 0.1, 0.2, 0.1, 0.1])
    sure = (np.eye(6) * 1e7).tolist()

    draws = np.array(call("bootstrap", [{"shares": mix.tolist(), "of": 400}], sure))[:, 0]
    doubtful = np.array(call("bootstrap", [{"shares": mix.tolist(), "of": 400}], (np.eye(6) * 20 + 2).tolist()))[:, 0]

    assert draws.mean(axis=0) == pytest.approx(mix, abs=0.01)
    assert draws.std(axis=0) == pytest.approx(np.sqrt(mix * (1 - mix) / 401), rel=0.25)
    assert np.all(doubtful.std(axis=0) > 1.3 * draws.std(axis=0))
    assert call("bootstrap", [{"shares": mix.tolist(), "of": 400}], sure) == [[row.tolist()] for row in draws]


@pytest.mark.parametrize(
    ("days", "compare", "expected"),
    [
        ((10, 16), "previous", (3, 9)),
        ((10, 10), "weekday", (3, 3)),
        ((20, 29), "weekday", (6, 15)),
        ((3, 5), "none", None),
    ],
)
def test_days_to_compare_with(
    browser: Browser, days: tuple[int, int], compare: str, expected: tuple[int, int] | None
) -> None:
    page = browser.new_page()
    page.add_script_tag(content=part("calendar.js"))

    found = page.evaluate(f"comparedDays({days[0]}, {days[1]}, '{compare}', () => true)")

    assert (found and (found["from"], found["to"])) == expected
    assert page.evaluate(f"comparedDays({days[0]}, {days[1]}, '{compare}', () => false)") is None
