"""Token ids -> probabilities: the third of the classifier's three phases."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from emotion_udf.classifier.artifact import WEIGHTS, Artifact
from emotion_udf.classifier.cpu.int16 import use_int16
from emotion_udf.classifier.cpu.prepacked import can_prepack, prepack
from emotion_udf.classifier.gpu.kernels import make_kernels
from emotion_udf.classifier.gpu.network import GpuDistilBert
from emotion_udf.classifier.packing import LengthGroup, TokenRows, pack
from emotion_udf.classifier.precision import name_of
from emotion_udf.classifier.weights import load_distilbert


class Engine(Protocol):
    """The model on one device, in one precision."""

    @property
    def name(self) -> str:
        """The library, the precision and the device, for people to read; recorded with every run."""
        ...

    def probabilities(self, rows: TokenRows) -> Tensor:
        """Return the probabilities (B, 6) in fp32 of B rows of token ids; rows of equal length should be neighbours.

        They may be on the device, and not computed yet.
        """
        ...


class TorchEngine:
    """Torch over packed rows. In fp32 it is the reference that other precisions are compared with.

    Args:
        artifact: The model to load.
        device: A torch device such as `cpu` or `cuda:0`.
        precision: Type of weights and activations; the softmax is in fp32. With int16 only the weights and inputs of
            linear layers are quantized, all else is in fp32.
    """

    def __init__(self, artifact: Artifact, device: str = "cpu", precision: torch.dtype = torch.float32) -> None:
        self._device = torch.device(device)
        self.name = f"torch {name_of(precision)} on {self._device.type}"
        config = artifact.configuration
        network = load_distilbert(config, artifact.folder / WEIGHTS)
        self._network: Callable[[Tensor, Tensor, Sequence[LengthGroup]], Tensor] = network
        if precision is torch.int16:
            use_int16(network)
            return
        network.to(self._device, precision)
        if kernels := make_kernels(config, self._device, precision):
            self._network = GpuDistilBert(network, kernels)
            self.name += ", own kernels"
        # The reference stays plain, layer by layer what transformers computes: fp32 is never prepacked.
        if self._device.type == "cpu" and precision is not torch.float32 and can_prepack(precision):
            prepack(network)

    @torch.inference_mode()
    def probabilities(self, rows: TokenRows) -> Tensor:
        """Return the softmax (B, 6) of the model's logits."""
        token_ids, position_ids, groups = pack(rows)  # (T,), (T,)
        logits = self._network(self._on_device(token_ids), self._on_device(position_ids), groups)
        return logits.float().softmax(dim=1)

    def _on_device(self, ids: Tensor) -> Tensor:
        if self._device.type == "cuda":
            ids = ids.pin_memory()  # from pinned memory the copy does not wait for the batch before it
        return ids.to(self._device, non_blocking=True)
