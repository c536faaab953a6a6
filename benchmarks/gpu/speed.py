"""How fast a device multiplies matrices, how fast a model scores there, and how long each part of that takes alone."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import cycle
from typing import Any, Final

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.ceiling import executed_flops, linear_rate, square_rate, useful_flops
from benchmarks.gpu.plan import GOAL_ROWS_PER_SECOND, GOAL_SHARE_OF_MATRIX_RATE, Plan, Setting
from benchmarks.gpu.record import Found
from benchmarks.gpu.told import tell_flops, tell_profile, tell_rows, tell_scoring
from benchmarks.parity import WINDOW, windows
from benchmarks.scoring import operator_shares, score_all
from emotion_udf.classifier.artifact import TOKENIZER, Artifact
from emotion_udf.classifier.batching import cut_by_token_budget
from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.engine import TorchEngine
from emotion_udf.classifier.packing import pack
from emotion_udf.classifier.precision import DTYPES
from emotion_udf.classifier.tokenizer import MessageTokenizer, Tokens

_PROFILED_WINDOWS: Final = 4


def measure_linear(plan: Plan, precision: str) -> Found:
    """Measure the linear layer 768 x 3072."""
    return _matrix_rate(linear_rate(plan.device, DTYPES[precision], plan.linear_tokens))


def measure_square(plan: Plan) -> Found:
    """Measure the square product in bf16."""
    return _matrix_rate(square_rate(plan.device, torch.bfloat16, plan.square))


def _matrix_rate(rate: float) -> Found:
    return Found({"flops_per_second": rate}, tell_flops(rate))


class Bench:
    """The measurements of one model on one device.

    Args:
        plan: What to measure.
        artifact: The model.
        texts: The texts of one repetition.
        repeats: Timed repetitions after the warm-up.
    """

    def __init__(self, plan: Plan, artifact: Artifact, texts: Sequence[str], repeats: int) -> None:
        self._plan, self._artifact, self._texts, self._repeats = plan, artifact, texts, repeats
        self._tokenizer = MessageTokenizer(artifact.folder / TOKENIZER, artifact.max_tokens)
        lengths = [len(ids) for window in windows(texts, WINDOW) for ids in self._tokenizer.encode(window).token_ids]
        self.tokens = sum(lengths)
        self._flops = {
            "useful": useful_flops(artifact.configuration, lengths),
            "executed": executed_flops(artifact.configuration, lengths),
        }

    def score(self, setting: Setting, ceilings: Mapping[str, float]) -> Found:
        """Time `score_chunks` on all texts, tokenising included.

        Args:
            setting: How to score.
            ceilings: Matrix rates by name, in FLOP/s, to compare with.
        """
        return self._timed(setting, self._tokenizer, ceilings)

    def forward_alone(self, setting: Setting, ceilings: Mapping[str, float]) -> Found:
        """Time the same with the tokens at hand, as if tokenising took no time."""
        ready = [self._tokenizer.encode(window) for window in windows(self._texts, setting.window)]
        return self._timed(setting, PreparedTokens(ready), ceilings)

    def tokenize_alone(self, setting: Setting) -> Found:
        """Time the tokenizer with all its threads."""

        def tokenize() -> None:
            for window in windows(self._texts, setting.window):
                self._tokenizer.encode(window)

        return self._host(tokenize)

    def pack_alone(self, setting: Setting) -> Found:
        """Time cutting and packing, which one Python thread does between the tokenizer and the GPU."""
        ready = [self._tokenizer.encode(window).token_ids for window in windows(self._texts, setting.window)]

        def cut_and_pack() -> None:
            for ids in ready:
                for rows in cut_by_token_budget([len(row) for row in ids], setting.token_budget):
                    pack([ids[row] for row in rows])

        return self._host(cut_and_pack)

    def profile(self, setting: Setting) -> Found:
        """Profile some windows: the share of each operator, and how long the GPU had something to do."""
        on_gpu = self._plan.on_gpu
        classifier = self._classifier(setting, self._tokenizer)
        texts = self._texts[: setting.window * _PROFILED_WINDOWS]
        score_all(classifier, texts, setting.window)
        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
        with profile(activities=kinds) as profiled:
            wall_s = score_all(classifier, texts, setting.window)
        every = operator_shares(profiled, on_gpu, most=10_000)
        figures = {
            "wall_s": wall_s,
            "busy": sum(one["seconds"] for one in every) / wall_s,
            "operators": operator_shares(profiled, on_gpu),
            "operators_of_host": operator_shares(profiled) if on_gpu else [],
        }
        return Found(figures, tell_profile(figures, on_gpu))

    def _classifier(self, setting: Setting, tokenizer: MessageTokenizer) -> Classifier:
        engine = TorchEngine(self._artifact, self._plan.device, DTYPES[setting.precision])
        if setting.compiled:
            compile_part(engine, setting.compiled)
        return Classifier(self._artifact, tokenizer, engine, setting.token_budget)

    def _timed(self, setting: Setting, tokenizer: MessageTokenizer, ceilings: Mapping[str, float]) -> Found:
        """Time a run over all texts on the device, and compare it with the ceilings."""
        on_gpu = self._plan.on_gpu
        classifier = self._classifier(setting, tokenizer)
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        seconds = self._repeat(lambda: score_all(classifier, self._texts, setting.window))
        memory = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None
        figures = asdict(setting) | self._rates(seconds, ceilings) | {"peak_memory_gib": memory}
        goal = f"{GOAL_ROWS_PER_SECOND:,} rows/s, {GOAL_SHARE_OF_MATRIX_RATE:.0%}"
        return Found(figures, tell_scoring(figures), goal)

    def _rates(self, seconds: list[float], ceilings: Mapping[str, float]) -> dict[str, Any]:
        """Return what repetitions of these seconds reached, and which shares of the ceilings that is."""
        median = statistics.median(seconds)
        reached = {kind: flops / median for kind, flops in self._flops.items()}
        return {
            "seconds": seconds,
            "median_s": median,
            "rows_per_second": len(self._texts) / median,
            "useful_flops_per_second": reached["useful"],
            "executed_flops_per_second": reached["executed"],
            "shares": {
                f"{kind}_share_of_{name}": rate / ceiling
                for kind, rate in reached.items()
                for name, ceiling in ceilings.items()
            },
        }

    def _host(self, work: Callable[[], None]) -> Found:
        """Time a run over all texts on the host."""
        seconds = self._repeat(partial(_seconds_of, work))
        rate = len(self._texts) / statistics.median(seconds)
        figures = {"seconds": seconds, "rows_per_second": rate}
        return Found(figures, tell_rows(rate), f"{GOAL_ROWS_PER_SECOND:,} rows/s")

    def _repeat(self, run: Callable[[], float]) -> list[float]:
        return [run() for _ in range(self._repeats + 1)][1:]  # the first one warms up


def _seconds_of(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class PreparedTokens(MessageTokenizer):
    """Gives tokens that were made before, window by window, and begins again after the last.

    Args:
        ready: The tokens of each window.
    """

    def __init__(self, ready: Sequence[Tokens]) -> None:
        self._ready = cycle(ready)

    def encode(self, texts: Sequence[str]) -> Tokens:  # noqa: ARG002 - they are known
        """Return the tokens of the next window."""
        return next(self._ready)


def compile_part(engine: TorchEngine, part: str) -> None:
    """Let torch compile a part of an engine's network, in place.

    Args:
        engine: The engine.
        part: `feed-forward`, what follows the attention in each block; or `blocks`, all but the last as a whole.
    """
    blocks: Any = engine._network.blocks
    if part == "blocks":
        for block in blocks[:-1]:
            block.compile(dynamic=True)
        return
    for block in blocks:
        block._add_feed_forward = torch.compile(block._add_feed_forward, dynamic=True)
