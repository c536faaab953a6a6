"""Texts -> six probabilities each, in the order the texts came."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from emotion_udf.classifier.artifact import TOKENIZER, Artifact
from emotion_udf.classifier.batching import cut_by_token_budget
from emotion_udf.classifier.device import Device, choose_device
from emotion_udf.classifier.engine import Engine, TorchEngine
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.emotions import EMOTIONS

DEFAULT_TOKEN_BUDGET = 4096


@dataclass(frozen=True)
class Scores:
    """What the classifier says of N texts.

    Args:
        probabilities: (N, 6) float32, columns in the order of `EMOTIONS`, each row summing to 1.
        token_counts: (N,) int32, tokens of the whole text, special tokens included.
        is_truncated: (N,) bool, whether the model saw only the beginning of the text.
    """

    probabilities: NDArray[np.float32]
    token_counts: NDArray[np.int32]
    is_truncated: NDArray[np.bool_]


@dataclass
class PhaseSeconds:
    """Wall-clock seconds spent in each phase since the classifier was loaded."""

    tokenize: float = 0.0
    batch: float = 0.0
    forward: float = 0.0


@dataclass
class Classifier:
    """The three phases, joined.

    Args:
        artifact: The model folder behind it.
        tokenizer: Texts -> token ids.
        engine: Token ids -> probabilities.
        token_budget: The most tokens in one forward pass.
    """

    artifact: Artifact
    tokenizer: MessageTokenizer
    engine: Engine
    token_budget: int = DEFAULT_TOKEN_BUDGET
    seconds: PhaseSeconds = field(default_factory=PhaseSeconds)

    def score(self, texts: Sequence[str]) -> Scores:
        """Score `texts`; the same text gets the same probabilities within 1e-5 in any company.

        Args:
            texts: N texts, any lengths; more at once means fuller batches.
        """
        started = time.perf_counter()
        tokens = self.tokenizer.encode(texts)
        tokenized = time.perf_counter()
        groups = cut_by_token_budget([len(ids) for ids in tokens.token_ids], self.token_budget)
        batched = time.perf_counter()
        probabilities = np.empty((len(texts), len(EMOTIONS)), dtype=np.float32)
        for rows in groups:
            probabilities[rows] = self.engine.probabilities([tokens.token_ids[row] for row in rows])
        self.seconds.tokenize += tokenized - started
        self.seconds.batch += batched - tokenized
        self.seconds.forward += time.perf_counter() - batched
        counts = np.asarray(tokens.token_counts, dtype=np.int32)
        return Scores(probabilities, counts, counts > self.artifact.max_tokens)


def load_classifier(
    artifact: Artifact,
    device: Device = "auto",
    token_budget: int = DEFAULT_TOKEN_BUDGET,
    assigned_gpus: Sequence[str] = (),
) -> Classifier:
    """Load the model of `artifact` onto a device.

    Args:
        artifact: A checked model folder.
        device: `auto`, `cpu` or `cuda`.
        token_budget: The most tokens in one forward pass.
        assigned_gpus: The GPU addresses that Spark gave this task.

    Raises:
        DeviceError: A GPU is asked for and there is none.
        ModelError: The weights cannot be read.
    """
    chosen = choose_device(device, torch.cuda.device_count(), assigned_gpus)
    tokenizer = MessageTokenizer(artifact.folder / TOKENIZER, artifact.max_tokens)
    return Classifier(artifact, tokenizer, TorchEngine(artifact, chosen), token_budget)
