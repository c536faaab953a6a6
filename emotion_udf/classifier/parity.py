"""Compare a fast engine with the fp32 reference, on the machine that it runs on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotion_udf.classifier.engine import Engine
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.probes import probe_texts

LEAST_EQUAL_LABELS: Final = 0.995
MOST_CHANGED: Final = 0.05
_BATCH = 64


@dataclass(frozen=True)
class Parity:
    """How the probabilities of N texts differ between two engines.

    Attributes:
        equal_labels: The share of texts whose label is the same, or was a tie within `MOST_CHANGED`.
        changed: (N,) the largest change of any of a text's probabilities.
    """

    equal_labels: float
    changed: NDArray[np.float32]

    @property
    def p99(self) -> float:
        """The 99th percentile of the changes."""
        return float(np.quantile(self.changed, 0.99))

    @property
    def holds(self) -> bool:
        """Tell whether a night may use the engine: labels stay the labels."""
        return self.equal_labels >= LEAST_EQUAL_LABELS and self.p99 <= MOST_CHANGED  # false for NaN

    def __str__(self) -> str:
        return f"{self.equal_labels:.1%} of labels equal, 99th percentile of changes {self.p99:.3f}"


def compare(reference: NDArray[np.float32], found: NDArray[np.float32]) -> Parity:
    """Compare the probabilities (N, 6) that two engines give N texts, at least one.

    A label that changes where the reference itself was undecided, its two best within `MOST_CHANGED`, counts as equal:
    `changed` has to hold there all the same.
    """
    rows = np.arange(len(reference))
    margin = reference.max(axis=1) - reference[rows, found.argmax(axis=1)]  # 0 where the label is the same
    return Parity(float((margin <= MOST_CHANGED).mean()), np.abs(reference - found).max(axis=1))


def compare_on_probes(reference: Engine, engine: Engine, tokenizer: MessageTokenizer) -> Parity:
    """Compare two engines on every other probe sentence: a broken kernel shows, and a worker's start stays short."""
    rows = sorted(tokenizer.encode(probe_texts()[::2]).token_ids, key=len)
    return compare(_probabilities(reference, rows), _probabilities(engine, rows))


def _probabilities(engine: Engine, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
    batches = (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))
    return np.concatenate([engine.probabilities(batch).cpu().numpy() for batch in batches])
