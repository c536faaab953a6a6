"""Two days of tweets: a night that is killed, one whose worker is killed, a night for each day; and other readers."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from tests.helpers.jobs import Ended, Submit, command, environment, query
from tests.helpers.paths import ROOT
from tests.helpers.tweets import DAYS, own_tweets, tweets_settings

pytestmark = pytest.mark.slow

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
class Nights:
    """How each night ended, and where the two ways to label both days left their tables."""

    killed: Ended
    left_by_the_kill: list[Path]
    together: Ended
    apart: list[Ended]
    warehouse: Path
    warehouse_apart: Path


@pytest.fixture(scope="module")
def nights(tweets: Path, score_feedback: Submit, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    warehouse = tmp_path_factory.mktemp("together")
    arguments = [*tweets_settings(tweets, warehouse), f"--from={DAYS[0]}", f"--to={DAYS[1]}"]
    killed = kill_the_night(arguments)
    left = list(warehouse.glob("*/_delta_log"))
    together = kill_a_worker(arguments)
    apart = tmp_path_factory.mktemp("apart")
    ended = [score_feedback(*tweets_settings(tweets, apart), f"--date={day}") for day in reversed(DAYS)]
    return Nights(killed, left, together, ended, warehouse, apart)


@contextmanager
def until(step: str, arguments: list[str]) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """Start a job, in a process group of its own, and wait until a step is done."""
    with subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as job:
        assert job.stdout is not None
        lines: list[str] = []
        for line in job.stdout:
            lines.append(line)
            if f"step={step} done" in line:
                break
        else:
            pytest.fail(f"expected a job that comes to {step}, found one that ended:\n{''.join(lines)}")
        yield job, lines
        lines += job.stdout


def kill_the_night(arguments: list[str]) -> Ended:
    with until("canary", arguments) as (job, lines):  # texts are staged, and it scores
        os.killpg(job.pid, signal.SIGKILL)
    return Ended(job.returncode, "".join(lines))


def kill_a_worker(arguments: list[str]) -> Ended:
    with until("inventory", arguments) as (job, lines):  # the canary is scored beside the read
        os.kill(worker_with_torch(job.pid), signal.SIGKILL)
    return Ended(job.returncode, "".join(lines))


def worker_with_torch(session: int) -> int:
    """Wait until a Python worker of a process session has loaded torch, and return its number."""
    while True:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(process.name)) == session and "libtorch" in (process / "maps").read_text():
                    return int(process.name)
            except OSError:
                continue  # it ended while we looked


def count_in_window() -> int:
    days = pc.cast(own_tweets()["created_at"], "date32")
    return int(pc.sum(pc.is_in(days, value_set=pc.cast(list(DAYS), "date32"))).as_py())


def test_a_killed_night_publishes_nothing(nights: Nights) -> None:
    assert nights.killed.code == -signal.SIGKILL
    assert nights.left_by_the_kill == []


def test_the_next_run_succeeds_unaided_and_puts_the_killed_one_on_record(nights: Nights) -> None:
    assert nights.together.code == 0, nights.together.output
    runs = query(nights.warehouse, "SELECT outcome, error, rows_read FROM runs ORDER BY started_at")
    assert runs == [("failed", "killed", 0), ("published", None, count_in_window())]


def test_a_killed_python_worker_costs_a_retry_and_not_the_night(nights: Nights) -> None:
    assert "Lost task" in nights.together.output
    assert nights.together.code == 0


def test_each_run_says_what_it_did(nights: Nights) -> None:
    assert nights.together.output.count(" done ") == 10
    for ended in (nights.together, *nights.apart):
        assert ended.code == 0, ended.output
        assert "rows read" in ended.output


def test_nothing_is_lost(nights: Nights) -> None:
    in_window = count_in_window()
    assert in_window == 180
    for warehouse in (nights.warehouse, nights.warehouse_apart):
        counted = query(warehouse, "SELECT sum(rows_read), sum(rows_labelled), sum(rows_quarantined) FROM runs")
        assert counted == [(in_window, in_window, 0)]
        labels = query(warehouse, "SELECT count(*), count(DISTINCT feedback_id) FROM emotion_labels")
        assert labels == [(in_window, in_window)]
        assert query(warehouse, "SELECT count(*) FROM quarantine") == [(0,)]


def test_labels_are_the_same_both_ways(nights: Nights) -> None:
    together = query(nights.warehouse, LABELS)
    apart = query(nights.warehouse_apart, LABELS)

    assert [row[:4] for row in together] == [row[:4] for row in apart]
    assert all(a[4:] == pytest.approx(b[4:], abs=1e-5) for a, b in zip(together, apart, strict=True))


def test_aggregates_sum_to_the_labels(nights: Nights) -> None:
    from_labels = """
        SELECT event_date, emotion, count(*), count(*) FILTER (NOT is_confident) FROM emotion_labels
        GROUP BY ALL ORDER BY ALL
    """
    from_daily = """
        SELECT event_date, emotion, feedback_count, low_confidence_count FROM emotion_daily
        WHERE feedback_count > 0 ORDER BY ALL
    """
    assert query(nights.warehouse, from_labels) == query(nights.warehouse, from_daily)
    shares = query(nights.warehouse, "SELECT event_date, count(*), sum(share) FROM emotion_daily GROUP BY 1 ORDER BY 1")
    assert shares == [(day, 6, pytest.approx(1)) for day in DAYS]


def test_counts_and_shares_are_the_same_both_ways(nights: Nights) -> None:
    together = query(nights.warehouse, DAILY)
    apart = query(nights.warehouse_apart, DAILY)

    assert [row[:4] + row[5:] for row in together] == [row[:4] + row[5:] for row in apart]
    assert [row[4] for row in together] == pytest.approx([row[4] for row in apart], abs=1e-6)


def test_deltalake_and_duckdb_see_one_run_a_date(nights: Nights) -> None:
    for warehouse in (nights.warehouse, nights.warehouse_apart):
        for table in ("emotion_labels", "emotion_daily"):
            seen = DeltaTable(warehouse / table).to_pyarrow_table(columns=["event_date", "run_id"])
            dates = set(zip(seen["event_date"].to_pylist(), seen["run_id"].to_pylist(), strict=True))
            assert len(dates) == 2
            assert dates == set(query(warehouse, f"SELECT DISTINCT event_date, run_id FROM {table}"))  # noqa: S608


def test_no_text_and_no_author_is_in_any_output(nights: Nights) -> None:
    output = nights.killed.output + nights.together.output + "".join(ended.output for ended in nights.apart)

    # Short ones such as "ok" can stand in any log by chance.
    private = {row[field] for row in own_tweets().to_pylist() for field in ("text", "author") if len(row[field]) > 7}
    assert len(private) > 250
    assert [value for value in private if value in output] == []
