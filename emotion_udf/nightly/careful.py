"""Scoring that is done again, carefully, where Spark itself does not try a task again (`local[*]`), or not any more."""

import logging
import re
from collections.abc import Callable
from typing import Final, TypeVar

from emotion_udf.errors import WorkerError, from_worker
from emotion_udf.nightly.context import RunContext
from emotion_udf.nightly.scorer import Scorer

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_IN_A_WORKER: Final = re.compile(
    r"Python worker exited unexpectedly|Python worker process terminated|exception was thrown from the Python worker"
)


def with_care(
    context: RunContext,
    scorer: Scorer,
    job: Callable[[Scorer], Result],
    undo: Callable[[], None] = lambda: None,
) -> Result:
    """Run a job that scores. If it fails in a Python worker, run it again with a scorer that outlives what it scores.

    Args:
        context: The run.
        scorer: Scores by it.
        job: Scores by what it is given.
        undo: Deletes what a job that failed has left.

    Raises:
        WorkerError: Workers end whatever they score.
    """
    try:
        return job(scorer)
    except Exception as error:
        if not failed_in_worker(error):
            raise
        log.warning("run_id=%s a worker ended while it scored; all is scored again, carefully", context.run_id)
    undo()
    try:
        return job(scorer.with_care())
    except Exception as error:
        if not failed_in_worker(error):
            raise
        raise WorkerError(
            "expected Python workers that score, found workers that end before they do; look at the memory that they "
            "have, at the executors' logs, and with --debug at the error itself"
        ) from error


def failed_in_worker(error: Exception) -> bool:
    """Tell whether a worker ended or raised an error that is not one of ours, of which each has its own advice."""
    said = str(error)
    return bool(_IN_A_WORKER.search(said)) and from_worker(said) is None
