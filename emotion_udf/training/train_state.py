"""Everything that changes while a network learns, with the one step that changes it."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from transformers import get_linear_schedule_with_warmup

from emotion_udf.settings.training import OptimizerSettings

_GRADIENT_NORM = 1.0


class MovingAverage:
    """An exponential moving average of a network's weights, which forgets early ones sooner.

    The n-th average keeps at most (1 + n) / (10 + n) of the one before. torch's `AveragedModel` would wait for the GPU
    at each step, for it keeps n there.

    Args:
        network: Whose weights to average.
        decay: The share of the average that a step keeps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(network)
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's weights; the first ones are the average."""
        kept = min(self._decay, (1 + self._updates) / (10 + self._updates)) if self._updates else 0.0
        torch._foreach_lerp_(list(self.model.parameters()), list(network.parameters()), 1 - kept)
        self._updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the average and how many updates it has seen."""
        return {"model": self.model.state_dict(), "updates": self._updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to an earlier `state_dict()`."""
        self.model.load_state_dict(state["model"])
        self._updates = state["updates"]


class TrainState:
    """A network with its optimizer, schedule, gradient scaler and moving average.

    Args:
        network: On the device to train on.
        settings: The optimizer's settings.
        steps: How many steps there will be in all, for the schedule.
        precision: The type of the matrix products; only fp16 needs its gradients scaled.
    """

    def __init__(self, network: nn.Module, settings: OptimizerSettings, steps: int, precision: torch.dtype) -> None:
        self.network = network
        self._optimizer = torch.optim.AdamW(
            _decayed_and_not(network, settings.weight_decay),
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            eps=settings.epsilon,
            fused=True,
        )
        warmup = round(steps * settings.warmup_share)
        self._schedule = get_linear_schedule_with_warmup(self._optimizer, warmup, steps)  # type: ignore[no-untyped-call]
        self._scaler = torch.amp.GradScaler(enabled=precision is torch.float16)
        self._average = MovingAverage(network, settings.average_decay) if settings.average_decay else None

    @property
    def ema_model(self) -> nn.Module:
        """The model that is validated and kept: the moving average where there is one, else the network itself."""
        return self._average.model if self._average else self.network

    def step(self, loss: Tensor) -> None:
        """Move all weights once against the gradient of `loss`."""
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), _GRADIENT_NORM)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()
        self._optimizer.zero_grad()
        if self._average is not None:
            self._average.update(self.network)

    def state(self) -> dict[str, Any]:
        """Return all of it, as tensors and plain values."""
        return {name: component.state_dict() for name, component in self._components().items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to an earlier `state()`."""
        for name, component in self._components().items():
            component.load_state_dict(state[name])

    def _components(self) -> dict[str, Any]:
        components = {
            "network": self.network,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
            "scaler": self._scaler,
        }
        return components if self._average is None else components | {"average": self._average}


def _decayed_and_not(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Split parameters so that biases and LayerNorms are not decayed (as BERT's own recipe does)."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
