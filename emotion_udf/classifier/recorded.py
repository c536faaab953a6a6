"""The recorded canary: what an artifact said of the project's canary sentences when it was made.

`canary.json` lies beside the weights. Every night the sentences go through the UDF again and must come out as recorded,
so that weights, tokenizer, kernels and device are seen to be what they were.
"""

import hashlib
import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import ModelError
from emotion_udf.probes import canary_sentences

RECORDED: Final = "canary.json"
_DECIMALS: Final = 5


def read_recorded(folder: Path, weights_sha256: str) -> NDArray[np.float32] | None:
    """Return the recorded probabilities (N, 6) of the N canary sentences.

    Returns:
        None where the folder has no record, or one of other sentences.

    Raises:
        ModelError: The record is damaged, or belongs to other weights.
    """
    file = folder / RECORDED
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        found = np.asarray(record["probabilities"], np.float32)
        sentences = record["sentences_sha256"]
        weights = record["weights_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"expected the canary's probabilities in {file}, found a damaged file; record it anew"
        ) from error
    if weights != weights_sha256:
        raise ModelError(
            f"expected the weights {weights} that {file} was recorded with, found {weights_sha256}; take the folder "
            "from where it was published again"
        )
    if sentences != _sentences_sha256() or found.shape != (len(canary_sentences()), len(EMOTIONS)):
        return None
    return found


def write_recorded(folder: Path, weights_sha256: str, probabilities: NDArray[np.float32]) -> None:
    """Record the probabilities (N, 6) of the N canary sentences beside the weights that gave them."""
    record = {
        "weights_sha256": weights_sha256,
        "sentences_sha256": _sentences_sha256(),
        "probabilities": [[round(float(value), _DECIMALS) for value in row] for row in probabilities],
    }
    (folder / RECORDED).write_text(json.dumps(record) + "\n", encoding="utf-8")


def _sentences_sha256() -> str:
    texts = "\n".join(text for text, _ in canary_sentences())
    return hashlib.sha256(texts.encode()).hexdigest()
