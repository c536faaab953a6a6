"""What a row of `runs` says of its night: rows with one fault each, and rows without any."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from emotion_udf.nightly.diagnosis import Cause, find_odd, log_diagnosis, where_time_went
from tests.helpers.told import STARTED

ENGINE = "torch bf16 on cpu"
HOST = {
    "host": "a",
    "workers": 4,
    "most_at_once": 4,
    "model_loads": 4,
    "model_load_seconds": 12.0,
    "slowest_load_seconds": 3.5,
    "slowest_opening_seconds": 0.4,
    "tasks": 16,
    "tried_again": 0,
    "tokens": 1_600_000,
    "seconds": 160.0,
    "slowest_task_seconds": 12.0,
    "slowest_task_tokens": 101_000,
    "engines": [ENGINE],
}


def row(seconds: dict[str, float] | None = None, hosts: list[dict[str, Any]] | None = None, **facts: Any) -> Any:
    """Return the row of a night of 60 s on two machines, as good as any but for what is said otherwise."""
    hosts = [HOST, HOST | {"host": "b"}] if hosts is None else hosts
    return {
        "run_id": "r1",
        "started_at": STARTED,
        "finished_at": STARTED + timedelta(seconds=60),
        "seconds": {"model": 0.2, "inventory": 0.5, "read": 9.0, "score": 42.0} | (seconds or {}),
        "input_files": ["a.parquet"] * 100,
        "refused_files": 0,
        "input_bytes": 30_000_000,
        "tokens": sum(host["tokens"] for host in hosts),
        "model_loads": sum(host["model_loads"] for host in hosts),
        "model_load_seconds": sum(host["model_load_seconds"] for host in hosts),
        "hosts": hosts,
    } | facts


def causes(row: Any) -> list[Cause]:
    return [finding.cause for finding in find_odd(row)]


def words(row: Any) -> str:
    (finding,) = find_odd(row)
    return finding.words


@pytest.mark.parametrize(
    "good",
    [
        row(),
        row(hosts=[HOST | {"model_load_seconds": 60.0, "slowest_load_seconds": 15.0}]),
        row(hosts=[HOST | {"workers": 5, "model_loads": 5, "model_load_seconds": 15.0}]),
        row(hosts=[HOST | {"slowest_task_seconds": 25.0}]),
        row({"inventory": 12.0, "read": 30.0}, input_files=["a.parquet"] * 3_000),
        row({"inventory": 12.0, "read": 30.0}, input_files=["a.parquet"], input_bytes=500_000_000),
        row(hosts=[HOST | {"tasks": 1, "slowest_task_seconds": 160.0, "slowest_task_tokens": 1_600_000}]),
        row(hosts=[HOST | {"tasks": 0, "seconds": 0.0, "slowest_task_seconds": None, "slowest_task_tokens": None}]),
        row(input_files=[]),
        row(hosts=None) | {"hosts": None, "tokens": None, "model_loads": None, "model_load_seconds": None},
    ],
    ids=[
        "a night", "loads that take long", "one worker more in a long night", "a task twice as long", "many files",
        "a large file", "one task", "nothing to score", "no files", "of an earlier version",
    ],
)  # fmt: skip
def test_nothing_is_odd_about_a_night_that_has_much_to_do(good: Any) -> None:
    assert causes(good) == []


def test_a_model_that_is_read_slowly() -> None:
    slow = row({"model": 8.0}, [HOST | {"slowest_opening_seconds": 9.5}, HOST | {"host": "b"}])
    assert causes(slow) == [Cause.SLOW_MODEL]
    assert "8.0 s on the driver and up to 9.5 s in a worker, on a; put the folder on a local disk" in words(slow)


def test_a_worker_that_starts_slowly() -> None:
    slow = row(hosts=[HOST, HOST | {"host": "b", "slowest_load_seconds": 31.0}])
    assert causes(slow) == [Cause.SLOW_START]
    assert "a worker on b took 30.6 s to start" in words(slow)


def test_workers_that_start_for_each_task() -> None:
    again = HOST | {"workers": 16, "model_loads": 16, "model_load_seconds": 48.0}
    again |= {"seconds": 40.0, "slowest_task_seconds": 3.0}
    assert causes(row(hosts=[again])) == [Cause.WORKERS_START_AGAIN]
    assert "loaded the model 16 times, 12 more than there were at once, in 48.0 s" in words(row(hosts=[again]))


def test_a_worker_that_was_killed_is_not_one_that_starts_again() -> None:
    killed = HOST | {"workers": 5, "model_loads": 5, "model_load_seconds": 150.0, "tried_again": 1}
    assert causes(row(hosts=[killed])) == [Cause.TRIED_AGAIN]
    assert "tasks that were not scored at the first try: 1 on a;" in words(row(hosts=[killed]))


def test_a_precision_that_fell_back_on_one_machine() -> None:
    because = "torch fp32 on cpu, because bf16 failed parity (95.0% of labels equal)"
    fallen_back = row(hosts=[HOST, HOST | {"host": "b", "engines": [because]}])
    assert causes(fallen_back) == [Cause.FALLBACK]
    assert words(fallen_back).startswith(f"b scored by {because}")


def test_a_task_that_all_others_wait_for() -> None:
    slow = row(hosts=[HOST | {"seconds": 175.0, "slowest_task_seconds": 40.0}, HOST | {"host": "b"}])
    assert causes(slow) == [Cause.SLOW_TASK]
    assert "101,000 tokens in 40.0 s on a, the others 99,968 in 9.5 s on average" in words(slow)


def test_an_input_whose_storage_is_slow() -> None:
    slow = row({"inventory": 7.0, "read": 20.0})
    assert causes(slow) == [Cause.SLOW_INPUT]
    assert "looking at 100 input files took 7.0 s, 1.0 s each, and reading their 30.0 MB 20.0 s" in words(slow)


def test_several_faults_are_told_apart() -> None:
    hosts = [HOST | {"tried_again": 2, "slowest_opening_seconds": 30.0}]
    assert causes(row({"inventory": 12.0}, hosts)) == [Cause.SLOW_MODEL, Cause.TRIED_AGAIN, Cause.SLOW_INPUT]


def test_a_run_says_where_its_time_went() -> None:
    assert where_time_went(row()) == "it took 60.0 s: score 42.0, read 9.0, inventory 0.5, model 0.2, between them 8.3"


def test_the_log_has_it_in_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_diagnosis(row({"inventory": 12.0}))
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert caplog.messages[0].startswith("run_id=r1 it took 60.0 s: ")
    assert caplog.messages[1].startswith("run_id=r1 odd=slow_input looking at 100 input files")


def test_a_row_that_cannot_be_understood_fails_no_night(caplog: pytest.LogCaptureFixture) -> None:
    log_diagnosis({"run_id": "r1", "seconds": None})
    assert caplog.messages == ["run_id=r1 where its time went is not known (KeyError)"]
