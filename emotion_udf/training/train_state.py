"""Everything that changes while a network learns, with the one step that changes it."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.settings.training import OptimizerSettings

_GRADIENT_NORM = 1.0

_Tensors = tuple[Tensor, ...] | list[Tensor]


class TrainState:
    """A network with its optimizer, schedule, gradient scaler and moving average.

    Args:
        network: On the device to train on.
        settings: The optimizer's settings.
        steps: How many steps there will be in all, for the schedule.
        precision: What the matrix products are computed in; only fp16 needs its gradients scaled.
    """

    def __init__(self, network: DistilBert, settings: OptimizerSettings, steps: int, precision: torch.dtype) -> None:
        self.network = network
        self._optimizer = torch.optim.AdamW(
            _decayed_and_not(network, settings.weight_decay),
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            eps=settings.epsilon,
            fused=True,
        )
        warmup = round(steps * settings.warmup_share)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, _linear(steps, warmup))
        self._scaler = torch.amp.GradScaler(enabled=precision is torch.float16)
        average = _moving_average(settings.average_decay)
        self._average = AveragedModel(network, multi_avg_fn=average) if settings.average_decay else None

    @property
    def ema_model(self) -> DistilBert:
        """What is validated and kept: the average where there is one, else the network itself."""
        if self._average is None:
            return self.network
        return cast(DistilBert, self._average.module)

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
            self._average.update_parameters(self.network)

    def state(self) -> dict[str, Any]:
        """Return all of it, as tensors and plain values."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` returned."""
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        parts = {
            "network": self.network,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
            "scaler": self._scaler,
        }
        return parts if self._average is None else parts | {"average": self._average}


def _decayed_and_not(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Split parameters so that biases and LayerNorms are not decayed (as BERT's own recipe does)."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def _moving_average(decay: float) -> Callable[[_Tensors, _Tensors, Tensor | int], None]:
    """Forget early weights sooner: the n-th average keeps at most (1 + n) / (10 + n) of the one before."""

    @torch.no_grad()
    def move(averaged: _Tensors, current: _Tensors, number: Tensor | int) -> None:
        kept = min(decay, (1 + int(number)) / (10 + int(number)))
        torch._foreach_lerp_(averaged, current, 1 - kept)

    return move


def _linear(steps: int, warmup: int) -> Callable[[int], float]:
    """Rise from 0 over `warmup` steps, then fall to 0 at `steps`."""
    return lambda step: (step + 1) / (warmup + 1) if step < warmup else (steps - step) / max(1, steps - warmup)
