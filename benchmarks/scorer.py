"""The bare classifier with some texts, timed, counted and profiled: what a process of a benchmark holds. No Spark."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.inputs import WINDOW_ROWS, split, windows
from benchmarks.processes import Processes
from benchmarks.rates import linear_rate, square_rate
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, PhaseSeconds, load_classifier
from emotion_udf.classifier.device import Device, Precision, choose_device
from emotion_udf.classifier.int16 import Int16Linear, can_use_int16

LINEAR_TOKENS: Final = {"cpu": 2_048, "cuda": 65_536}
"""Rows of the linear layer that gives the ceiling; so many fill the device."""

_SQUARE = 8_192
_WARM_UP_TEXTS = {"cpu": 64, "cuda": 40_000}
_PROFILED_TEXTS = {"cpu": 2_000, "cuda": 40_000}
_OPERATORS = 25


class Scorer:
    """The classifier on one device, with some texts.

    Args:
        model: A model folder.
        texts: What it scores.
        device: As `load_classifier` takes it.
        threads: Of torch; its own choice by default.
    """

    def __init__(self, model: Path, texts: Sequence[str], device: Device, threads: int | None = None) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._artifact = open_artifact(ArtifactSource(str(model)))
        self._texts = texts
        self._device: Device = device
        self._classifier: Classifier | None = None

    @property
    def classifier(self) -> Classifier:
        """The classifier that `load` loaded last."""
        if self._classifier is None:
            raise RuntimeError("expected a loaded classifier, found none; call load first")
        return self._classifier

    @property
    def device_type(self) -> str:
        """`cpu` or `cuda`."""
        return torch.device(choose_device(self._device, torch.cuda.device_count())).type

    def load(self, precision: Precision = "auto", token_budget: int | None = None) -> str:
        """Load the classifier, score some texts once to warm up, and return what scores."""
        self._classifier = None  # so that its memory is free
        self._classifier = load_classifier(self._artifact, self._device, token_budget, precision=precision)
        score_all(self.classifier, self._texts[: _WARM_UP_TEXTS[self.device_type]], WINDOW_ROWS)
        self.classifier.seconds = PhaseSeconds()
        if self.device_type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return self.classifier.engine_name

    def score(self, window: int = WINDOW_ROWS) -> float:
        """Score all texts in windows of so many, tokenising included, and return the seconds."""
        return score_all(self.classifier, self._texts, window)

    def describe(self) -> dict[str, Any]:
        """Return seconds of the phases since `load`, tokens the network read of each text, and peak memory in GiB."""
        lengths = [len(ids) for ids in self.classifier.tokenizer.encode(self._texts).token_ids]
        memory = torch.cuda.max_memory_allocated() / 2**30 if self.device_type == "cuda" else None
        return {"phases": asdict(self.classifier.seconds), "lengths": lengths, "peak_memory_gib": memory}

    def rates(self, tokens: int | None = None, square: int = _SQUARE) -> dict[str, float]:
        """Return the FLOP/s of a linear layer by precision, and on a GPU that of a square product.

        Args:
            tokens: Rows of the linear layer; `LINEAR_TOKENS` by default.
            square: Rows and columns of the square matrices.
        """
        device = self.device_type
        precisions = ["bf16", "fp16"] if device == "cuda" else ["fp32", "bf16"]
        if device == "cpu" and can_use_int16(self._artifact.configuration):
            precisions.append("int16")
        found = {name: linear_rate(device, name, tokens or LINEAR_TOKENS[device]) for name in precisions}
        return found | {"square_bf16": square_rate(device, "bf16", square)} if device == "cuda" else found

    def profile(self, window: int = WINDOW_ROWS) -> dict[str, Any]:
        """Profile some texts: how long the device was busy as a share of the time, and the operators that took most.

        Returns:
            `busy` and `operators`; each of those has `operator`, `share` of all operators' time, `seconds` and `calls`.
        """
        device = self.device_type
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
        with _seen_by_the_profiler(Int16Linear, "write"), profile(activities=activities) as profiled:
            seconds = score_all(self.classifier, self._texts[: _PROFILED_TEXTS[device]], window)
        return operator_shares(profiled, device, seconds)


def score_all(classifier: Classifier, texts: Sequence[str], window: int) -> float:
    """Score texts in windows, as the UDF does, and return the seconds that it took."""
    started = time.perf_counter()
    for _ in classifier.score_windows(windows(texts, window)):
        pass
    return time.perf_counter() - started


def scorers_on_cores(model: Path, texts: Sequence[str], cores: int) -> Processes[Scorer]:
    """Start a process of one thread a core, as Spark's workers have it, each with its share of the texts."""
    shares = [texts[rows] for rows in split(len(texts), cores)]
    return Processes([partial(Scorer, model, share, "cpu", 1) for share in shares], threads=1)


def scorer_on(device: Device, model: Path, texts: Sequence[str]) -> Processes[Scorer]:
    """Start one process with all texts and all threads, for a GPU."""
    return Processes([partial(Scorer, model, texts, device)])


def operator_shares(profiled: profile, device: str, wall_s: float) -> dict[str, Any]:
    """Return what a finished profile says of the device: see `Scorer.profile`."""
    # Microseconds of an operator without what it calls; on a GPU those of its kernels, which have lines of their own.
    own = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    lines = [line for line in profiled.key_averages() if line.device_type.name == device.upper()]
    total_us = sum(getattr(line, own) for line in lines) or 1.0
    slowest = sorted(lines, key=lambda line: -getattr(line, own))[:_OPERATORS]
    operators = [
        {
            "operator": str(line.key),
            "share": getattr(line, own) / total_us,
            "seconds": getattr(line, own) / 1e6,
            "calls": int(line.count),
        }
        for line in slowest
    ]
    return {"busy": total_us / 1e6 / wall_s, "operators": operators}


@contextmanager
def _seen_by_the_profiler(layer: type, method: str) -> Iterator[None]:
    """Record the calls of a method under its class's name: the profiler knows torch's own operators only."""
    original: Callable[..., Any] = getattr(layer, method)

    def recorded(*arguments: Any, **named: Any) -> Any:
        with record_function(layer.__name__):
            return original(*arguments, **named)

    setattr(layer, method, recorded)
    try:
        yield
    finally:
        setattr(layer, method, original)
