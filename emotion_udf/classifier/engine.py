"""Token ids -> probabilities: the third of the classifier's three phases."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from emotion_udf.classifier.artifact import WEIGHTS, Artifact
from emotion_udf.classifier.distilbert import pack
from emotion_udf.classifier.weights import load_distilbert


class Engine(Protocol):
    """Runs the model on one batch."""

    def probabilities(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the probabilities (B, 6) of B rows of token ids; rows of equal length should be neighbours."""
        ...


class TorchEngine:
    """The reference: torch in fp32.

    Args:
        artifact: The model to load.
        device: A torch device such as `cpu` or `cuda:0`.
    """

    def __init__(self, artifact: Artifact, device: str) -> None:
        self._device = torch.device(device)
        self._model = load_distilbert(artifact.configuration, artifact.folder / WEIGHTS).to(self._device)

    @torch.inference_mode()
    def probabilities(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the softmax (B, 6) of the model's logits."""
        token_ids, position_ids, runs = pack(rows)
        logits = self._model(token_ids.to(self._device), position_ids.to(self._device), runs)
        probabilities: NDArray[np.float32] = logits.float().softmax(dim=1).cpu().numpy()
        return probabilities
