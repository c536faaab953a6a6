"""What the classifier says of texts. Without torch, so that a process that only hands it on need not load it."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotion_udf.emotions import EMOTIONS


@dataclass(frozen=True)
class Scores:
    """The classifier's output for N texts.

    Attributes:
        probabilities: (N, 6) float32, columns in the order of `EMOTIONS`, each row summing to 1.
        token_counts: (N,) int32, tokens of the whole text, special tokens included.
        unknown_counts: (N,) int32, tokens that the model saw and whose text is not in its vocabulary.
        is_truncated: (N,) bool, true where the model saw only the beginning of the text.
        read_tokens: Tokens that the model saw, of all texts together.
        computed_tokens: Tokens of all batches that were begun for them: more, where one did not fit into memory and was
            computed again in parts.
    """

    probabilities: NDArray[np.float32]
    token_counts: NDArray[np.int32]
    unknown_counts: NDArray[np.int32]
    is_truncated: NDArray[np.bool_]
    read_tokens: int = 0
    computed_tokens: int = 0


_NONE: Final = np.empty(0, np.int32)
NO_SCORES: Final = Scores(np.empty((0, len(EMOTIONS)), np.float32), _NONE, _NONE, np.empty(0, np.bool_))
"""The scores of no texts."""
