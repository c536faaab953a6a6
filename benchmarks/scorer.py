"""The bare classifier with some texts, timed, counted and profiled: what a process of a benchmark holds. No Spark."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.harness import Row
from benchmarks.inputs import CHUNK_ROWS, split, windows
from benchmarks.processes import Processes
from benchmarks.rates import linear_rate, square_rate
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import PhaseSeconds, load_classifier
from emotion_udf.classifier.cpu.int16 import can_use_int16
from emotion_udf.classifier.device import Precision

Device = Literal["cpu", "cuda"]

LINEAR_TOKENS: Final = {"cpu": 2_048, "cuda": 65_536}  # so many fill the device
_SQUARE = 8_192
_WARM_UP_TEXTS = {"cpu": 64, "cuda": 40_000}
_PROFILED_TEXTS = {"cpu": 2_000, "cuda": 40_000}
_OPERATORS = 25


class Scorer:
    """The classifier on one device, with some texts.

    Args:
        model: A model folder.
        texts: What it scores.
        device: `cpu` or `cuda`.
        threads: Of torch; its own choice by default.
    """

    def __init__(self, model: Path, texts: Sequence[str], device: Device, threads: int | None = None) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._artifact = open_artifact(ArtifactSource(str(model)))
        self._texts = texts
        self._device: Device = device
        self.load("fp32")

    def load(self, precision: Precision = "auto", token_budget: int | None = None) -> str:
        """Load the classifier anew, score some texts to warm up, and return what scores."""
        self._classifier = load_classifier(self._artifact, self._device, token_budget, precision=precision)
        self._score(self._texts[: _WARM_UP_TEXTS[self._device]], CHUNK_ROWS)
        self._classifier.seconds = PhaseSeconds()
        if self._device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return self._classifier.engine_name

    def score(self, window: int = CHUNK_ROWS) -> float:
        """Score all texts in windows of so many, as the UDF does, and return the seconds, tokenising included."""
        return self._score(self._texts, window)

    def describe(self) -> dict[str, Any]:
        """Return seconds of the phases since `load`, tokens that the network reads of each text, peak memory in GiB."""
        lengths = [len(ids) for ids in self._classifier.tokenizer.encode(self._texts).token_ids]
        memory = torch.cuda.max_memory_allocated() / 2**30 if self._device == "cuda" else None
        return {"phases": asdict(self._classifier.seconds), "lengths": lengths, "peak_memory_gib": memory}

    def rates(self) -> dict[str, float]:
        """Return the FLOP/s of a linear layer by precision, and on a GPU that of a square product."""
        measure = partial(linear_rate, self._device, tokens=LINEAR_TOKENS[self._device])
        if self._device == "cuda":
            return {"bf16": measure("bf16"), "fp16": measure("fp16"), "square_bf16": square_rate("cuda", _SQUARE)}
        precisions = ["fp32", "bf16"] + ["int16"] * can_use_int16(self._artifact.configuration)
        return {name: measure(name) for name in precisions}

    def profile(self, window: int = CHUNK_ROWS) -> Row:
        """Profile some texts.

        Returns:
            `busy`, the share of the time in torch's operators, of which this project's int16 kernels are none; and
            `operators`, each with its `share` of that, without what it calls, and its number of `calls`.
        """
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (self._device == "cuda")
        with profile(activities=activities) as profiled:
            wall_s = self._score(self._texts[: _PROFILED_TEXTS[self._device]], window)
        # Microseconds; on a GPU those of its kernels, which have lines of their own beside the operators.
        own = "self_device_time_total" if self._device == "cuda" else "self_cpu_time_total"
        lines = [line for line in profiled.key_averages() if line.device_type.name == self._device.upper()]
        total_us = sum(getattr(line, own) for line in lines) or 1.0
        slowest = sorted(lines, key=lambda line: -getattr(line, own))[:_OPERATORS]
        operators = [
            {"operator": str(line.key), "share": getattr(line, own) / total_us, "calls": int(line.count)}
            for line in slowest
        ]
        return {"busy": total_us / 1e6 / wall_s, "operators": operators}

    def _score(self, texts: Sequence[str], window: int) -> float:
        started = time.perf_counter()
        for _ in self._classifier.score_chunks(windows(texts, window)):
            pass
        return time.perf_counter() - started


def start_scorers(model: Path, texts: Sequence[str], device: Device, cores: int) -> Processes[Scorer]:
    """Start what scores texts: so many processes, each with its share of them, as Spark's workers have it.

    On a CPU each has one thread; on a GPU, which they share, each has its share of the machine's.
    """
    threads = max(1, (os.cpu_count() or 1) // cores) if device == "cuda" else 1
    shares = [texts[rows] for rows in split(len(texts), cores)]
    return Processes([partial(Scorer, model, share, device, threads) for share in shares], threads)
