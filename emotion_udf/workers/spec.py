"""What a worker is told: which classifier to load, and how."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socket import gethostname
from time import perf_counter
from typing import TYPE_CHECKING

from emotion_udf.classifier.artifact import Artifact, ArtifactSource, open_artifact
from emotion_udf.classifier.device import Device, Precision
from emotion_udf.errors import ModelError

if TYPE_CHECKING:
    from emotion_udf.classifier.classifier import Classifier


@dataclass(frozen=True)
class WorkerSpec:
    """The settings that a Python worker is sent; small and picklable, the weights stay in their folder.

    Specs are equal when they name the same classifier.

    Attributes:
        source: The place of the model folder.
        fingerprint: Digest of that folder as the driver saw it.
        device: `auto`, `cpu` or `cuda`.
        precision: `auto`, `fp32`, `bf16`, `fp16` or `int16`.
        token_budget: The most tokens in one forward pass; None for the device's default.
        chunk_rows: Rows to gather before batches are cut by length, over the borders of Arrow batches.
        carefully: Score in a process of its own from the first try on, not only where a task is tried again.
        stopped_s: Seconds after which a worker that is stopped is killed.
        answer_s: Seconds that a process of its own may take over `careful.PART_ROWS` texts: several times what the
            longest ones take, and less than Spark lets a worker be silent.
        tells: Write a line to standard error when the classifier is loaded; on a cluster that is the executor's log.
        reports: Return what each task has done, too (see `workers.report`).
    """

    source: ArtifactSource
    fingerprint: str
    device: Device
    precision: Precision
    token_budget: int | None
    chunk_rows: int = field(compare=False)
    carefully: bool = field(default=False, compare=False)
    stopped_s: float = field(default=5.0, compare=False)
    answer_s: float = field(default=150.0, compare=False)
    tells: bool = field(default=False, compare=False)
    reports: bool = field(default=False, compare=False)

    def load(self, gpus: tuple[str, ...]) -> "Classifier":
        """Load the classifier; `gpus` are the addresses that Spark gave the task.

        Raises:
            ModelError: This machine has no such folder, or it holds another model than the driver's.
        """
        with _no_collections():
            return self._load(gpus)

    def _load(self, gpus: tuple[str, ...]) -> "Classifier":
        from emotion_udf.classifier.classifier import load_classifier  # torch is loaded in workers only
        from emotion_udf.classifier.verdicts import Verdicts

        started = perf_counter()
        artifact = self._open()
        opening_s = perf_counter() - started
        if artifact.fingerprint != self.fingerprint:
            raise ModelError(
                f"expected the model {self.fingerprint} that the driver opened, found {artifact.fingerprint} in "
                f"{artifact.folder} on the worker's node {gethostname()}; give every node the same model folder"
            )
        # Spark tells a worker how many threads its task has; the tokenizer would take one for every core.
        os.environ.setdefault("RAYON_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", ""))
        classifier = load_classifier(artifact, self.device, self.token_budget, gpus, self.precision, Verdicts.of_user())
        classifier.opening_s = opening_s
        if self.tells:
            held = f"model={self.fingerprint} engine={classifier.engine_name} assigned_gpus={','.join(gpus) or 'none'}"
            sys.stderr.write(f"INFO {__name__} pid={os.getpid()} {held} seconds={perf_counter() - started:.2f}\n")
            sys.stderr.flush()
        return classifier

    def _open(self) -> Artifact:
        """Open the model folder of this machine.

        Raises:
            ModelError: It has none, or not a whole one, although the driver has.
        """
        try:
            return open_artifact(self.source)
        except ModelError as error:
            raise ModelError(
                f"expected on every node the model {self.fingerprint} that the driver opened, found on the worker's "
                f"node {gethostname()}: {error}; if it is a folder, put it there under the same path, or on storage "
                "that all nodes share, or let Spark bring it: --archives FILE.tar.gz#NAME"
            ) from error


@contextmanager
def _no_collections() -> Iterator[None]:
    """Look for no garbage meanwhile: what torch makes while it is imported stays, and each look at it costs time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
