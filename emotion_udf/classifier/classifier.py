"""The three phases joined: texts -> six probabilities each, in the order of the texts."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emotion_udf.classifier.artifact import TOKENIZER, Artifact
from emotion_udf.classifier.batching import cut_by_token_budget, cut_into_windows
from emotion_udf.classifier.device import Device, Precision, choose_device
from emotion_udf.classifier.engine import Engine, TorchEngine
from emotion_udf.classifier.memory import is_out_of_memory
from emotion_udf.classifier.packing import TokenRows
from emotion_udf.classifier.parity import compare_on_probes
from emotion_udf.classifier.precision import choose_precision, name_of
from emotion_udf.classifier.scores import Scores
from emotion_udf.classifier.tokenizer import MessageTokenizer, Tokens
from emotion_udf.classifier.verdicts import Verdicts
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import DeviceError

log = logging.getLogger(__name__)

TOKEN_BUDGETS: Final = {"cpu": 2_048, "cuda": 65_536}
"""Most tokens of a batch, by device: on a CPU a batch should fit the caches, on a GPU it should fill the cores."""

WINDOW_TOKENS: Final = {"cpu": 49_152, "cuda": 2_097_152}
"""Tokens after which scores are handed on, by device: Spark ends a worker that is silent for too long.

2,500 tweets have 40,000, and stay together."""

TOKENIZERS: Final = {"cpu": 1, "cuda": 3}
"""Chunks tokenised at once, by device: while tokens of one become Python's, the threads work on the next."""


@dataclass
class PhaseSeconds:
    """Wall-clock seconds spent in each phase since the classifier was loaded.

    Tokenising runs beside the other two, so the sum may exceed the time that passed.
    """

    tokenize: float = 0.0
    batch: float = 0.0
    forward: float = 0.0


@dataclass
class Classifier:
    """A loaded model.

    Attributes:
        artifact: The model folder behind it.
        tokenizer: Texts -> token ids.
        engine: Token ids -> probabilities.
        token_budget: The most tokens in one forward pass; it shrinks when memory runs out, and stays so.
        window_tokens: Tokens after which scores are handed on.
        tokenizers: Chunks that are tokenised at once.
        engine_name: Name of the engine, with the reason where a faster one was tried and not used.
        seconds: Time spent so far, by phase.
        opening_s: Seconds that it took to read and check the model's folder, where that is known.
    """

    artifact: Artifact
    tokenizer: MessageTokenizer
    engine: Engine
    token_budget: int = TOKEN_BUDGETS["cpu"]
    window_tokens: int = WINDOW_TOKENS["cpu"]
    tokenizers: int = TOKENIZERS["cpu"]
    engine_name: str = ""
    seconds: PhaseSeconds = field(default_factory=PhaseSeconds)
    opening_s: float = 0.0

    def __post_init__(self) -> None:
        self.engine_name = self.engine_name or self.engine.name

    def score(self, texts: Sequence[str]) -> Scores:
        """Score `texts`; the same text gets the same probabilities within 1e-5 in any company (in fp32).

        Args:
            texts: N texts, any lengths; more at once means fuller batches.
        """
        return self._fetch(self._launch(self._encode(texts)))

    def score_chunks(self, chunks: Iterable[Sequence[str]]) -> Iterator[Scores]:
        """Score chunks of texts one after the other, each while the next one is tokenised.

        A chunk of more than `WINDOW_TOKENS` comes out in several pieces, each with the scores of its next texts. A GPU
        is given a piece before the results of the one ahead of it are fetched, so it never waits for the host. The
        input is read ahead of the output, by one chunk more than are tokenised at once (two on a CPU), by the thread
        that reads the output.
        """
        launched: deque[_Launched] = deque()
        for tokens in self._encode_ahead(chunks):
            for window in cut_into_windows(tokens.rows.lengths, self.window_tokens):
                launched.append(self._launch(tokens[window]))
                if len(launched) > 1:
                    yield self._fetch(launched.popleft())
        while launched:
            yield self._fetch(launched.popleft())

    def _encode_ahead(self, chunks: Iterable[Sequence[str]]) -> Iterator[Tokens]:
        """Tokenise chunks, each in a thread of its own while the caller works on the one before."""
        tokenized: deque[Future[Tokens]] = deque()
        with ThreadPoolExecutor(self.tokenizers, "tokenizer") as ahead:
            for texts in chunks:
                tokenized.append(ahead.submit(self._encode, texts))
                if len(tokenized) > self.tokenizers:
                    yield tokenized.popleft().result()
            while tokenized:
                yield tokenized.popleft().result()

    def _encode(self, texts: Sequence[str]) -> Tokens:
        started = time.perf_counter()
        tokens = self.tokenizer.encode(texts)
        self.seconds.tokenize += time.perf_counter() - started
        return tokens

    def _launch(self, tokens: Tokens) -> "_Launched":
        started = time.perf_counter()
        order, batches, computed = self._probabilities(tokens.rows)
        found = torch.cat(batches) if batches else torch.empty(0, len(EMOTIONS))  # (N, 6), on the device
        launched = _Launched(tokens, order, computed, found.to("cpu", non_blocking=True), _event_after(found))
        self.seconds.forward += time.perf_counter() - started
        return launched

    def _fetch(self, launched: "_Launched") -> Scores:
        started = time.perf_counter()
        if launched.done:
            launched.done.synchronize()
        probabilities = np.empty((len(launched.order), len(EMOTIONS)), dtype=np.float32)
        probabilities[launched.order] = launched.probabilities.numpy()  # back into the order of the texts
        self.seconds.forward += time.perf_counter() - started
        tokens = launched.tokens
        is_truncated = tokens.token_counts > self.artifact.max_tokens
        read = len(tokens.rows.ids)
        return Scores(
            probabilities, tokens.token_counts, tokens.unknown_counts, is_truncated, read, launched.computed_tokens
        )

    def _probabilities(self, tokens: TokenRows) -> tuple[NDArray[np.intp], list[Tensor], int]:
        """Score rows in batches.

        Returns:
            The order in which rows were scored (N,), their probabilities in that order, batch by batch, and the tokens
            of all batches that were begun.
        """
        groups = self._cut(tokens, np.arange(len(tokens)))
        order: list[NDArray[np.intp]] = []
        batches: list[Tensor] = []
        computed = 0
        while groups:
            rows = groups.pop(0)
            batch = tokens.take(rows)
            computed += len(batch.ids)
            try:
                batches.append(self.engine.probabilities(batch))
                order.append(rows)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._shrink(len(batch.ids), len(rows), error)
                groups = self._cut(tokens, np.concatenate([rows, *groups]))
        return np.concatenate(order) if order else np.empty(0, dtype=np.intp), batches, computed

    def _cut(self, tokens: TokenRows, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        started = time.perf_counter()
        groups = cut_by_token_budget(tokens.lengths[rows], self.token_budget)
        self.seconds.batch += time.perf_counter() - started
        return [rows[group] for group in groups]

    def _shrink(self, tokens: int, rows: int, error: Exception) -> None:
        """Halve the token budget for good, after a batch that did not fit into memory.

        Raises:
            DeviceError: The batch was a single text.
        """
        if rows == 1:
            raise DeviceError(
                f"expected memory for one text of {tokens} tokens ({self.engine_name}), found too little; "
                "give the worker more memory, or run fewer tasks side by side"
            ) from error
        # The batch can be smaller than the budget; halve whichever is less, so that the next batch is smaller.
        self.token_budget = max(1, min(tokens, self.token_budget) // 2)
        log.warning("out of memory with a batch of %d tokens; from now on at most %d", tokens, self.token_budget)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@dataclass(frozen=True)
class _Launched:
    """A chunk of N texts that the engine works on.

    Attributes:
        tokens: The chunk, tokenised.
        order: (N,) the order in which they were scored.
        computed_tokens: Tokens of all batches that were begun for them.
        probabilities: (N, 6) in that order, on the CPU; not to be read before `done`.
        done: The event on the GPU after which they are complete; None on a CPU.
    """

    tokens: Tokens
    order: NDArray[np.intp]
    computed_tokens: int
    probabilities: Tensor
    done: torch.cuda.Event | None


def _event_after(work: Tensor) -> torch.cuda.Event | None:
    """Record an event after all work launched so far on the device of `work`; return None on a CPU."""
    if not work.is_cuda:
        return None
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(work.device))
    return event


def load_classifier(
    artifact: Artifact,
    device: Device = "auto",
    token_budget: int | None = None,
    assigned_gpus: Sequence[str] = (),
    precision: Precision = "fp32",
    verdicts: Verdicts | None = None,
) -> Classifier:
    """Load the model of `artifact` onto a device.

    A precision other than fp32 is first compared with fp32 on the probe sentences; where labels change, fp32 is used.

    Args:
        artifact: A checked model folder.
        device: `auto`, `cpu` or `cuda`.
        token_budget: The most tokens in one forward pass; by default that of `TOKEN_BUDGETS`.
        assigned_gpus: The GPU addresses that Spark gave this task.
        precision: `fp32` (the reference), `bf16`, `fp16`, `int16`, or `auto`, the fastest that the device has.
        verdicts: Engines that have kept the labels on this machine before, and are not compared on a CPU again; by
            default every engine is compared.

    Raises:
        DeviceError: A GPU is asked for and there is none, fp16 without one, or int16 where it cannot be used.
        ModelError: The weights cannot be read.
    """
    chosen = torch.device(choose_device(device, torch.cuda.device_count(), assigned_gpus))
    tokenizer = MessageTokenizer(artifact.folder / TOKENIZER, artifact.max_tokens)
    computed_in = choose_precision(precision, chosen, artifact.configuration)
    engine, name = _engine(artifact, tokenizer, chosen, computed_in, verdicts if chosen.type == "cpu" else None)
    budget = token_budget or TOKEN_BUDGETS[chosen.type]
    return Classifier(artifact, tokenizer, engine, budget, WINDOW_TOKENS[chosen.type], TOKENIZERS[chosen.type], name)


def _engine(
    artifact: Artifact,
    tokenizer: MessageTokenizer,
    device: torch.device,
    precision: torch.dtype,
    verdicts: Verdicts | None,
) -> tuple[Engine, str]:
    """Return the engine to use, and its name; after a failed comparison that is fp32's, with the reason."""
    engine = TorchEngine(artifact, str(device), precision)
    if precision is torch.float32 or (verdicts and verdicts.know(artifact, precision)):
        return engine, engine.name
    reference = TorchEngine(artifact, str(device))
    parity = compare_on_probes(reference, engine, tokenizer)
    if parity.holds:
        if verdicts:
            verdicts.keep(artifact, precision)
        return engine, engine.name
    log.warning("%s is not used: %s", engine.name, parity)
    return reference, f"{reference.name}, because {name_of(precision)} failed parity ({parity})"
