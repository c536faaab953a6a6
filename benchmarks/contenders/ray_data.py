"""Ray Data without Spark: Parquet -> `map_batches` over actors that hold a pipeline -> Parquet.

Ray starts its actors anew for every job, so a warm-up cannot leave them loaded. To compare what the others are
compared by, a job's seconds count from the moment when all actors have loaded their model; what passed before stands
in `start_up_s`. With `--best`, an actor takes all rows of its block at once and sorts them by length, and the pipeline
computes in bf16 where the processor does.
"""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import ray

from benchmarks.contenders.measurement import Answer, Request, Settings, answer, labels_of, measure
from benchmarks.contenders.pipelines import load_pipeline, score_by_length, to_columns
from benchmarks.machine import computes_in_bf16

_OBJECT_STORE_BYTES = 2**30
_ACTORS_MAY_TAKE_S = 600


class Classifier:
    """Labels batches; one actor a core.

    Args:
        model: The model folder.
        labels: Its labels.
        batch_size: Texts in one forward pass.
        dtype: What the pipeline computes in.
        by_length: Sort a batch by length.
        ready: A folder to leave a file in when the model is loaded.
    """

    def __init__(
        self, model: str, labels: list[str], batch_size: int, dtype: str, by_length: bool, ready: Path
    ) -> None:
        self._labels = labels
        self._by_length = by_length
        self._classifier = load_pipeline(model, batch_size, dtype)
        tempfile.mkstemp(dir=ready)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return id, label and scores of a batch of id and text."""
        texts = batch["text"].tolist()
        scores = score_by_length(self._classifier, texts) if self._by_length else self._classifier(texts)
        return {"id": batch["id"], **to_columns(scores, self._labels)}


def run(request: Request) -> Answer:
    """Measure the job in one local Ray instance."""
    batch_size = 32
    # None is the whole block, which is a core's share of the rows. A number above that would join the shares of all
    # cores for one actor, as Ray fills a call's rows before it hands them out.
    rows_per_call = None if request.best else batch_size
    dtype = "bfloat16" if request.best and computes_in_bf16() else "float32"
    ray.init(
        num_cpus=request.cores,
        object_store_memory=_OBJECT_STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
    )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # A job begins when every actor is ready, as a Spark job of warm workers does.
    context.wait_for_min_actors_s = _ACTORS_MAY_TAKE_S

    def job(rows: Path, output: Path) -> float:
        shutil.rmtree(output, ignore_errors=True)
        with tempfile.TemporaryDirectory() as ready:
            started = time.time()
            # The reader joins small files to one block, which would keep one actor busy and the others idle.
            parts = ray.data.read_parquet(str(rows)).repartition(request.cores)
            labelled = parts.map_batches(
                Classifier,
                fn_constructor_args=(
                    str(request.model), labels_of(request.model), batch_size, dtype, request.best, Path(ready)
                ),
                batch_size=rows_per_call,
                compute=ray.data.ActorPoolStrategy(size=request.cores),
                # An actor computes on one thread either way; half a core each leaves Ray one to read and write with.
                num_cpus=0.5,
            )  # fmt: skip
            labelled.write_parquet(str(output))
            loaded = [file.stat().st_mtime for file in Path(ready).iterdir()]
        return max(loaded) - started

    settings: Settings = {
        "batch_size": batch_size,
        "rows_per_call": rows_per_call,
        "dtype": dtype,
        "sorted_by_length": request.best,
        "threads_per_worker": 1,
        "actors": request.cores,
    }
    measured = measure(request, job, settings)
    ray.shutdown()
    return measured


if __name__ == "__main__":
    answer(run)
