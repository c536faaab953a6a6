import pytest

from emotion_udf.errors import GateError
from emotion_udf.gates.counts import GateResult, NightCounts, check_night, require
from emotion_udf.settings.nightly import GateSettings

LIMIT = GateSettings(max_quarantined_share=0.05)
GOOD = NightCounts(read=100, quarantined=5, distinct_texts=90, labelled=95, daily_total=95, files=20, refused_files=1)


def failed(counts: NightCounts, settings: GateSettings = LIMIT) -> dict[str, str]:
    """Return the failed gates with their numbers."""
    return {result.name: result.detail for result in check_night(counts, settings) if not result.passed}


def changed(**counts: int) -> NightCounts:
    return NightCounts(**vars(GOOD) | counts)


def test_a_night_at_the_limit_passes_every_gate() -> None:
    results = check_night(GOOD, LIMIT)
    assert results == [
        GateResult("nothing_lost", True, "read 100 = labelled 95 + quarantined 5"),
        GateResult("aggregates_sum_to_labels", True, "daily 95 = labelled 95"),
        GateResult("quarantined_rows", True, "share 0.0500, at most 0.05"),
        GateResult("refused_files", True, "share 0.0500, at most 0.05"),
    ]
    require(results)


@pytest.mark.parametrize(
    ("counts", "name", "detail"),
    [
        (changed(read=101), "nothing_lost", "read 101 = labelled 95 + quarantined 5"),
        (changed(labelled=96, daily_total=96), "nothing_lost", "read 100 = labelled 96 + quarantined 5"),
        (changed(daily_total=94), "aggregates_sum_to_labels", "daily 94 = labelled 95"),
        (
            changed(quarantined=6, labelled=94, daily_total=94),
            "quarantined_rows",
            "share 0.0600, at most 0.05",
        ),
        (changed(refused_files=2), "refused_files", "share 0.1000, at most 0.05"),
    ],
)
def test_each_gate_fails_by_itself(counts: NightCounts, name: str, detail: str) -> None:
    assert failed(counts) == {name: detail}


def test_a_night_without_rows_passes() -> None:
    assert failed(NightCounts()) == {}
    assert failed(NightCounts(), GateSettings(max_quarantined_share=0)) == {}


def test_the_limit_may_be_nothing_or_all() -> None:
    one_bad = NightCounts(read=1_000_000, quarantined=1, labelled=999_999, daily_total=999_999)
    assert set(failed(one_bad, GateSettings(max_quarantined_share=0))) == {"quarantined_rows"}
    all_bad = NightCounts(read=3, quarantined=3, files=2, refused_files=2)
    assert failed(all_bad, GateSettings(max_quarantined_share=1)) == {}


def test_refused_files_count_where_no_row_could_be_read() -> None:
    assert set(failed(NightCounts(files=2, refused_files=2))) == {"refused_files"}


def test_the_error_names_every_failed_gate_with_its_numbers() -> None:
    with pytest.raises(GateError) as caught:
        require(check_night(changed(read=200, refused_files=20), LIMIT))
    assert str(caught.value).splitlines() == [
        "expected every gate to pass, found 2 that did not:",
        "  nothing_lost: read 200 = labelled 95 + quarantined 5",
        "  refused_files: share 1.0000, at most 0.05",
        "  nothing was published, the tables stay as they were; look at the input's quality, or raise "
        "gate.max_quarantined_share if it is as it should be",
    ]
