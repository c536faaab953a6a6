"""The state of training: schedule, decay and moving average."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.packing import pack
from emotion_udf.settings.training import OptimizerSettings
from emotion_udf.training.train_state import TrainState
from tests.helpers.training import Start

Weights = dict[str, Tensor]


def weights_of(network: torch.nn.Module) -> Weights:
    return copy.deepcopy(dict(network.state_dict()))


def same(first: Weights, second: Weights) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def state_of(network: DistilBert, steps: int = 10, **settings: Any) -> TrainState:
    return TrainState(network, OptimizerSettings(**{"learning_rate": 0.1} | settings), steps, torch.float32)


def loss_of(network: DistilBert) -> Tensor:
    token_ids, position_ids, runs = pack([[101, 5, 102], [101, 6, 7, 102]])
    return F.cross_entropy(network(token_ids, position_ids, runs), torch.tensor([1, 4]))


def no_loss_of(network: DistilBert) -> Tensor:
    return sum((weight.sum() * 0 for weight in network.parameters()), torch.tensor(0.0))


def test_the_learning_rate_rises_and_falls_to_nothing(start: Start) -> None:
    network = start()
    state = state_of(network, steps=10, warmup_share=0.2)
    rates = []
    for _ in range(10):
        rates.append(state.state()["optimizer"]["param_groups"][0]["lr"])
        state.step(loss_of(network))
    assert rates == pytest.approx([0.1 * share for share in (0, 1 / 2, 1, *(left / 8 for left in range(7, 0, -1)))])
    assert state.state()["optimizer"]["param_groups"][0]["lr"] == 0


def test_only_matrices_are_decayed(start: Start) -> None:
    network = start()
    before = weights_of(network)
    state_of(network, weight_decay=0.5).step(no_loss_of(network))
    for name, weight in network.named_parameters():
        expected = before[name] * (1 - 0.1 * 0.5) if weight.ndim > 1 else before[name]
        torch.testing.assert_close(weight.detach(), expected)


def test_without_an_average_the_candidate_is_the_network(start: Start) -> None:
    network = start()
    assert state_of(network).ema_model is network


@pytest.mark.parametrize(("decay", "kept"), [(0.2, [2 / 11, 0.2, 0.2]), (0.9, [2 / 11, 3 / 12, 4 / 13])])
def test_the_candidate_is_a_moving_average_that_forgets_the_first_steps_sooner(
    start: Start, decay: float, kept: list[float]
) -> None:
    network = start()
    state = state_of(network, average_decay=decay)
    state.step(loss_of(network))
    expected = weights_of(network)
    for share in kept:
        state.step(loss_of(network))
        now = weights_of(network)
        expected = {name: share * expected[name] + (1 - share) * now[name] for name in now}
    ema_model = weights_of(state.ema_model)
    assert ema_model.keys() == expected.keys()
    for name, weight in ema_model.items():
        torch.testing.assert_close(weight, expected[name], msg=name)
    assert not same(ema_model, weights_of(network))


def test_a_state_goes_on_from_its_state(start: Start) -> None:
    networks = [start().eval(), start().eval()]
    first, second = (state_of(network, average_decay=0.9, warmup_share=0.3) for network in networks)
    for _ in range(2):
        first.step(loss_of(networks[0]))
    second.restore(copy.deepcopy(first.state()))
    for state, network in zip((first, second), networks, strict=True):
        state.step(loss_of(network))
    assert same(weights_of(networks[0]), weights_of(networks[1]))
    assert same(weights_of(first.ema_model), weights_of(second.ema_model))
