"""What Python workers tell of their tasks -> the columns of `runs` that say what scoring cost, and where."""

from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import Any

from emotion_udf.workers.report import TaskReport


def work_columns(canary: Sequence[TaskReport], texts: Sequence[TaskReport]) -> dict[str, Any]:
    """Return columns of `schemas.runs_schema()`, nulls where no worker has told anything.

    Args:
        canary: The tasks of the canary, which workers are started for.
        texts: The tasks of the night's texts.
    """
    tokens = sum(task.tokens for task in texts)
    computed = sum(task.computed_tokens for task in texts)
    seconds = sum(task.seconds - task.load_seconds for task in texts)
    tasks = [*canary, *texts]
    return {
        "tokens": tokens if tasks else None,
        "tokens_per_s": tokens / seconds if seconds > 0 else None,
        "wasted_token_share": 1 - tokens / computed if computed else None,
        "model_loads": sum(task.loads for task in tasks) if tasks else None,
        "model_load_seconds": sum(task.load_seconds for task in tasks) if tasks else None,
        "hosts": [_host(name, canary, texts) for name in sorted({task.host for task in tasks})] if tasks else None,
    }


def _host(name: str, canary: Sequence[TaskReport], texts: Sequence[TaskReport]) -> dict[str, Any]:
    """Return what a machine has done: a value of the column `hosts`."""
    tasks = [task for task in (*canary, *texts) if task.host == name]
    scored = [task for task in texts if task.host == name]
    first_tries = [task for task in scored if not task.is_again]  # one that is tried again starts a process more
    slowest = max(first_tries, key=_seconds_of, default=None)
    longest_load = max(task.load_seconds / max(1, task.loads) for task in tasks)
    return {
        "host": name,
        "workers": len({(task.executor, task.worker) for task in tasks}),
        "most_at_once": _most_at_once(tasks),
        "model_loads": sum(task.loads for task in tasks),
        "model_load_seconds": sum(task.load_seconds for task in tasks),
        "slowest_load_seconds": longest_load,
        "slowest_opening_seconds": max(task.opening_seconds for task in tasks),
        "tasks": len(scored),
        "tried_again": sum(task.is_again for task in tasks),
        "tokens": sum(task.tokens for task in scored),
        "seconds": sum(_seconds_of(task) for task in scored),
        "slowest_task_seconds": _seconds_of(slowest) if slowest else None,
        "slowest_task_tokens": slowest.tokens if slowest else None,
        "engines": sorted({task.engine for task in tasks if task.engine}),
    }


def _seconds_of(task: TaskReport) -> float:
    """Return the seconds of a task without those of loading."""
    return task.seconds - task.load_seconds


def _most_at_once(tasks: Sequence[TaskReport]) -> int:
    """Return how many workers a machine's tasks needed at once: those of each executor, added up."""
    by_executor = groupby(sorted(tasks, key=lambda task: task.executor), key=lambda task: task.executor)
    return sum(_most_overlapping([(task.began_at, task.ended_at) for task in own]) for _, own in by_executor)


def _most_overlapping(spans: Sequence[tuple[float, float]]) -> int:
    changes = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    return max(accumulate(change for _, change in changes))
