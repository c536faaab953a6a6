"""Token ids -> probabilities: the third of the classifier's three phases."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from emotion_udf.classifier.artifact import WEIGHTS, Artifact
from emotion_udf.classifier.cpu.int16 import use_int16
from emotion_udf.classifier.cpu.prepacked import can_prepack, prepack
from emotion_udf.classifier.packing import pack
from emotion_udf.classifier.precision import name_of
from emotion_udf.classifier.weights import load_distilbert


class Engine(Protocol):
    """Runs the model on one batch."""

    @property
    def name(self) -> str:
        """What runs, in which precision, on what: recorded with every run."""
        ...

    def probabilities(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Return the probabilities (B, 6) in fp32 of B rows of token ids; rows of equal length should be neighbours.

        They may still be on the device, and may still be in the making there.
        """
        ...


class TorchEngine:
    """Torch over packed rows. In fp32 it is the reference that other precisions are compared with.

    Args:
        artifact: The model to load.
        device: A torch device such as `cpu` or `cuda:0`.
        precision: Of weights and of what flows between layers; the softmax is in fp32. With int16 what flows is in
            fp32, too.
    """

    def __init__(self, artifact: Artifact, device: str = "cpu", precision: torch.dtype = torch.float32) -> None:
        self._device = torch.device(device)
        self.name = f"torch {name_of(precision)} on {self._device.type}"
        network = load_distilbert(artifact.configuration, artifact.folder / WEIGHTS)
        self._network = network
        if precision is torch.int16:
            use_int16(network)
            return
        network.to(self._device, precision)
        # The reference stays plain: nothing in it but what transformers computes, too.
        if self._device.type == "cpu" and precision is not torch.float32 and can_prepack(precision):
            prepack(network)

    @torch.inference_mode()
    def probabilities(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Return the softmax (B, 6) of the model's logits."""
        token_ids, position_ids, runs = pack(rows)
        if self._device.type == "cuda":  # from pinned memory the copy does not wait for the batch before it
            token_ids, position_ids = token_ids.pin_memory(), position_ids.pin_memory()
        on_device = (ids.to(self._device, non_blocking=True) for ids in (token_ids, position_ids))
        logits: Tensor = self._network(*on_device, runs)
        return logits.float().softmax(dim=1)
