"""Two days of real tweets: in one run by spark-submit, then a day at a time, and read by others than Spark."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from tests.helpers.jobs import Ended, query, submit, tweets_settings

LABELS = """
    SELECT event_date, feedback_id, created_at, emotion,
           confidence, sadness, joy, love, anger, fear, surprise, is_confident, token_count
    FROM emotion_labels ORDER BY event_date, feedback_id
"""
DAILY = """
    SELECT event_date, emotion, feedback_count, share, mean_probability, low_confidence_count, total_count
    FROM emotion_daily ORDER BY event_date, emotion
"""


@dataclass(frozen=True)
class Runs:
    """Both ways to label the two days."""

    together: Path
    apart: Path
    ended: list[Ended]


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    together, apart = (tmp_path_factory.mktemp(name) for name in ("together", "apart"))
    ended = [submit(*tweets_settings(data, together), "--from=2026-10-05", "--to=2026-10-06")]
    ended += [submit(*tweets_settings(data, apart), f"--date={day}") for day in ("2026-10-06", "2026-10-05")]
    return Runs(together, apart, ended)


def test_each_run_ends_well_and_says_so(runs: Runs) -> None:
    for ended in runs.ended:
        assert ended.code == 0, ended.output
        assert "rows read" in ended.output
        assert ended.output.count(" done ") == 7


def test_nothing_is_lost(runs: Runs, data: Path) -> None:
    times = pq.read_table(data / "tweets.parquet", columns=["created_at"])["created_at"].to_pylist()
    in_window = sum(time.month == 10 and time.day in (5, 6) for time in times)
    sql = "SELECT sum(rows_read), sum(rows_labelled + rows_quarantined) FROM runs"

    assert query(runs.together, sql) == query(runs.apart, sql) == [(in_window, in_window)]
    for warehouse in (runs.together, runs.apart):
        assert query(warehouse, "SELECT count(*) FROM emotion_labels") == [(in_window,)]
        assert query(warehouse, "SELECT count(*) FROM quarantine") == [(0,)]


def test_labels_are_the_same_both_ways(runs: Runs) -> None:
    together, apart = query(runs.together, LABELS), query(runs.apart, LABELS)

    assert [row[:4] for row in together] == [row[:4] for row in apart]
    assert all(a[4:] == pytest.approx(b[4:], abs=1e-5) for a, b in zip(together, apart, strict=True))


def test_aggregates_sum_to_the_labels(runs: Runs) -> None:
    from_labels = """
        SELECT event_date, emotion, count(*), count(*) FILTER (NOT is_confident) FROM emotion_labels
        GROUP BY ALL ORDER BY ALL
    """
    from_daily = """
        SELECT event_date, emotion, feedback_count, low_confidence_count FROM emotion_daily
        WHERE feedback_count > 0 ORDER BY ALL
    """
    assert query(runs.together, from_labels) == query(runs.together, from_daily)
    shares = query(runs.together, "SELECT event_date, count(*), sum(share) FROM emotion_daily GROUP BY 1 ORDER BY 1")
    assert shares == [(date(2026, 10, day), 6, pytest.approx(1)) for day in (5, 6)]


def test_counts_and_shares_are_the_same_both_ways(runs: Runs) -> None:
    together, apart = query(runs.together, DAILY), query(runs.apart, DAILY)

    assert [row[:4] + row[5:] for row in together] == [row[:4] + row[5:] for row in apart]
    assert [row[4] for row in together] == pytest.approx([row[4] for row in apart], abs=1e-6)


def test_deltalake_and_duckdb_see_one_run_a_date(runs: Runs) -> None:
    for warehouse in (runs.together, runs.apart):
        for table in ("emotion_labels", "emotion_daily"):
            seen = DeltaTable(warehouse / table).to_pyarrow_table(columns=["event_date", "run_id"])
            dates = set(zip(seen["event_date"].to_pylist(), seen["run_id"].to_pylist(), strict=True))
            assert len(dates) == 2
            assert dates == set(query(warehouse, f"SELECT DISTINCT event_date, run_id FROM {table}"))  # noqa: S608


def test_no_text_and_no_author_is_in_any_output(runs: Runs, data: Path) -> None:
    tweets = pq.read_table(data / "tweets.parquet", columns=["text", "author", "created_at"]).to_pylist()
    ours = [tweet for tweet in tweets if tweet["created_at"].day in (5, 6)]
    output = "".join(ended.output for ended in runs.ended)

    # Short ones such as "ok" can stand in any log by chance.
    private = {tweet[field] for tweet in ours for field in ("text", "author") if len(tweet[field]) > 7}
    assert len(private) > 2000
    assert [value for value in private if value in output] == []
