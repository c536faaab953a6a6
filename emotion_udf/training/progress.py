"""A progress bar on a terminal: loss, sentences a second, time left."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emotion_udf.training import fine_tune


@contextmanager
def training_progress() -> Iterator[Callable[[fine_tune.Progress], None]]:
    """Yield the function to call every few steps; draws nothing where standard error is no terminal."""
    bar = Progress(
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  {task.fields[pace]:.0f} sentences/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task("training", total=None, epoch=1, loss=float("nan"), pace=0.0, start=False)

    def on_progress(so_far: fine_tune.Progress) -> None:
        if not bar.tasks[task].started:
            bar.start_task(task)
        bar.update(
            task,
            completed=so_far.sentences,
            total=so_far.total,
            epoch=so_far.epoch,
            loss=so_far.loss,
            pace=so_far.samples_per_s,
        )

    with bar:
        yield on_progress
