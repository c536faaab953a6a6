"""What workers tell of their tasks, by machine."""

from dataclasses import replace
from typing import Any

import pytest

from emotion_udf.nightly.work import work_columns
from emotion_udf.schemas import runs_schema
from emotion_udf.workers.report import TaskReport

TASK = TaskReport("a", 1, 11, 100.0, False, 110.0, 10.0, 0, 0.0, 0.0, 1_000, 1_000, "torch fp32 on cpu")


def task(worker: int, began_at: float, ended_at: float, **facts: Any) -> TaskReport:
    return replace(TASK, worker=worker, began_at=began_at, ended_at=ended_at, seconds=ended_at - began_at, **facts)


def host_of(canary: list[TaskReport], texts: list[TaskReport], name: str = "a") -> dict[str, Any]:
    (found,) = (host for host in work_columns(canary, texts)["hosts"] if host["host"] == name)
    return dict(found)


def test_the_columns_are_those_of_runs() -> None:
    schema = {field.name: field for field in runs_schema()}
    columns = work_columns([TASK], [TASK])
    assert set(columns) <= set(schema)
    assert all(schema[name].nullable for name in columns), "tables of earlier versions do not have them"
    element = schema["hosts"].dataType.elementType  # type: ignore[attr-defined]
    assert list(host_of([TASK], [TASK])) == element.fieldNames()
    assert all(field.nullable for field in element)


def test_where_nobody_tells_anything_nothing_is_known() -> None:
    assert set(work_columns([], []).values()) == {None}


def test_the_canary_loads_the_model_and_scores_no_text_of_the_night() -> None:
    canary = task(11, 100, 104, loads=1, load_seconds=3.0, opening_seconds=0.5)
    found = work_columns([canary], [])
    assert (found["tokens"], found["tokens_per_s"], found["wasted_token_share"]) == (0, None, None)
    assert (found["model_loads"], found["model_load_seconds"]) == (1, 3.0)
    host = host_of([canary], [])
    assert (host["workers"], host["tasks"], host["tokens"], host["slowest_task_seconds"]) == (1, 0, 0, None)
    assert (host["slowest_load_seconds"], host["slowest_opening_seconds"]) == (3.0, 0.5)


def test_tokens_a_second_are_those_of_one_worker_that_has_its_model() -> None:
    first = task(11, 100, 106, loads=1, load_seconds=2.0)
    found = work_columns([], [first, replace(task(12, 100, 104), computed_tokens=1_500)])
    assert (found["tokens"], found["tokens_per_s"]) == (2_000, pytest.approx(250.0))
    assert found["wasted_token_share"] == pytest.approx(0.2)


def test_workers_that_stay_are_as_many_as_work_at_once() -> None:
    texts = [task(11, 104, 108), task(12, 104.5, 107), task(12, 107, 109), task(11, 108, 110)]
    host = host_of([task(11, 100, 104, loads=1, load_seconds=3)], texts)
    assert (host["workers"], host["most_at_once"], host["tasks"]) == (2, 2, 4)


def test_workers_that_come_anew_are_more_than_work_at_once() -> None:
    texts = [task(worker, 100 + worker, 101 + worker, loads=1, load_seconds=0.5) for worker in range(6)]
    host = host_of([], texts)
    assert (host["workers"], host["most_at_once"], host["model_loads"]) == (6, 1, 6)


def test_workers_of_two_executors_are_counted_apart() -> None:
    """The second has come when the first was lost."""
    texts = [task(11, 100, 104), task(12, 100, 104), task(11, 110, 112, executor=2), task(13, 110, 112, executor=2)]
    host = host_of([], texts)
    assert (host["workers"], host["most_at_once"]) == (4, 4)


def test_each_machine_has_its_own_figures() -> None:
    fallen_back = "torch fp32 on cpu, because bf16 failed parity"
    texts = [task(11, 100, 101), task(12, 100, 109, host="b", tokens=5_000, engine=fallen_back)]
    texts.append(task(13, 100, 150, host="b", is_again=True, loads=3, load_seconds=9.0, engine=fallen_back))
    slow = host_of([], texts, "b")
    assert (slow["slowest_task_seconds"], slow["slowest_task_tokens"]) == (9.0, 5_000), "the third is slow by itself"
    assert (slow["tasks"], slow["tried_again"], slow["model_loads"], slow["engines"]) == (2, 1, 3, [fallen_back])
    assert slow["slowest_load_seconds"] == 3.0
    assert host_of([], texts)["tried_again"] == 0
