"""Ray Data without Spark: Parquet -> `map_batches` over actors that hold a pipeline -> Parquet.

Ray starts its actors anew for every job, so a warm-up cannot leave them loaded. To compare what the others are
compared by, a job's seconds count from the moment when all actors have loaded their model; what passed before stands
in `start_up_s`. With the best settings, an actor takes all rows of its block at once and sorts them by length, and the
pipeline computes in bf16 where the processor does.
"""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import ray

from benchmarks.contenders.contract import Answer, Request, answer, labels_of, time_jobs
from benchmarks.contenders.pipelines import BATCH_SIZE, load_pipeline, score, settings_of, to_columns

_OBJECT_STORE_BYTES = 2**30
_ACTORS_MAY_TAKE_S = 600


class Classifier:
    """Labels batches; one actor a core, which leaves a file in the folder `ready` when its model is loaded."""

    def __init__(self, model: str, dtype: str, by_length: bool, ready: str) -> None:
        self._labels = labels_of(model)
        self._by_length = by_length
        self._classifier = load_pipeline(model, dtype)
        tempfile.mkstemp(dir=ready)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return id, label and scores of a batch of id and text."""
        scores = score(self._classifier, batch["text"].tolist(), self._by_length)
        return {"id": batch["id"], **to_columns(scores, self._labels)}


def run(request: Request) -> Answer:
    """Time the job in one local Ray instance."""
    settings = settings_of(request.best)
    # None is the whole block, which is a core's share of the rows. A number above that would join the shares of all
    # cores for one actor, as Ray fills a call's rows before it hands them out.
    rows_per_call = None if request.best else BATCH_SIZE
    ray.init(
        num_cpus=request.cores, object_store_memory=_OBJECT_STORE_BYTES, include_dashboard=False, log_to_driver=False
    )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # A job begins when every actor is ready, as a Spark job of warm workers does.
    context.wait_for_min_actors_s = _ACTORS_MAY_TAKE_S

    def job(rows: str, output: str) -> float:
        shutil.rmtree(output, ignore_errors=True)
        with tempfile.TemporaryDirectory() as ready:
            started = time.time()
            # The reader joins small files to one block, which would keep one actor busy and the others idle.
            labelled = ray.data.read_parquet(rows).repartition(request.cores).map_batches(
                Classifier,
                fn_constructor_args=(request.model, settings["dtype"], request.best, ready),
                batch_size=rows_per_call,
                compute=ray.data.ActorPoolStrategy(size=request.cores),
                # An actor computes on one thread either way; half a core each leaves Ray one to read and write with.
                num_cpus=0.5,
            )  # fmt: skip
            labelled.write_parquet(output)
            loaded = [file.stat().st_mtime for file in Path(ready).iterdir()]
        return max(loaded) - started

    answered = time_jobs(request, job, settings | {"rows_per_call": rows_per_call, "actors": request.cores})
    ray.shutdown()
    return answered


if __name__ == "__main__":
    answer(run)
