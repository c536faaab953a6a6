"""Compare a fast engine with the fp32 reference on the worker's own machine, before the fast one is used."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotion_udf.classifier.engine import Engine
from emotion_udf.classifier.packing import TokenRows
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.probes import probe_texts

MIN_EQUAL_LABELS: Final = 0.995
"""The least share of texts whose label stays."""

MAX_CHANGE: Final = 0.05
"""The most that a probability may change at the 99th percentile, and the margin below which two emotions are tied."""

_BATCH = 64


@dataclass(frozen=True)
class Parity:
    """The difference between two engines' probabilities of N texts.

    Attributes:
        equal_labels: The share of texts whose label is the same, or was a tie within `MAX_CHANGE`.
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
        """Tell whether labels are equal enough for the engine to be used."""
        return self.equal_labels >= MIN_EQUAL_LABELS and self.p99 <= MAX_CHANGE  # false for NaN, too

    def __str__(self) -> str:
        return f"{self.equal_labels:.1%} of labels equal, 99th percentile of changes {self.p99:.3f}"


def compare(reference: NDArray[np.float32], found: NDArray[np.float32]) -> Parity:
    """Compare the probabilities (N, 6) that two engines give N texts, at least one.

    A label that changes where the reference's two best are within `MAX_CHANGE` of each other counts as equal.
    """
    rows = np.arange(len(reference))
    margin = reference.max(axis=1) - reference[rows, found.argmax(axis=1)]  # (N,), 0 where the label is the same
    changed = np.abs(reference - found).max(axis=1)  # (N,)
    return Parity(float((margin <= MAX_CHANGE).mean()), changed)


def compare_on_probes(reference: Engine, engine: Engine, tokenizer: MessageTokenizer) -> Parity:
    """Compare two engines on every other probe sentence: enough to find a broken kernel, and quick."""
    rows = tokenizer.encode(probe_texts()[::2]).rows
    rows = rows.take(np.argsort(rows.lengths, kind="stable"))
    return compare(_probabilities(reference, rows), _probabilities(engine, rows))


def _probabilities(engine: Engine, rows: TokenRows) -> NDArray[np.float32]:
    batches = (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))
    return np.concatenate([engine.probabilities(batch).cpu().numpy() for batch in batches])
