"""The training loop and its state, on a network of a few thousand weights and sentences that show their label."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from emotion_udf.classifier.configuration import Configuration
from emotion_udf.classifier.distilbert import DistilBert, Dropout
from emotion_udf.classifier.packing import pack
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.classifier.weights import from_transformers, to_transformers
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.training import ObjectiveSettings, OptimizerSettings
from emotion_udf.training.batches import encode
from emotion_udf.training.data import NEUTRAL, LabelledTexts, Splits, extra_sentences
from emotion_udf.training.fine_tune import (
    Epoch,
    FineTuned,
    Progress,
    best_of,
    fine_tune,
    logits_of,
    measure,
    soft_targets,
)
from emotion_udf.training.train_state import TrainState
from tests.helpers.models import tiny_distilbert
from tests.helpers.training import SPLITS, Start, sentences

TOY = OptimizerSettings(learning_rate=5e-3, batch_size=16, epochs=8, warmup_share=0.1, precision="fp32")
PLAIN = ObjectiveSettings()
SIZES = Configuration(dim=32, hidden_dim=64, n_heads=4, n_layers=2, vocab_size=30522, max_position_embeddings=64)

Weights = dict[str, Tensor]


def toy(**settings: object) -> OptimizerSettings:
    return OptimizerSettings(**TOY.model_dump() | settings)


def weights_of(network: DistilBert) -> Weights:
    return copy.deepcopy(dict(network.state_dict()))


def same(first: Weights, second: Weights) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def tuned_weights(
    start: Start, tokenizer: MessageTokenizer, objective: ObjectiveSettings = PLAIN, **settings: object
) -> Weights:
    return weights_of(fine_tune(start(), corpus(), tokenizer, toy(epochs=1, **settings), objective).network)


# The loop


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_toy_problem_is_learnt(start: Start, tokenizer: MessageTokenizer, precision: str) -> None:
    seen: list[Epoch] = []
    tuned = fine_tune(start(), corpus(), tokenizer, toy(precision=precision), PLAIN, on_epoch=seen.append)
    assert tuned.best.validation_accuracy >= 0.95
    assert tuned.epochs == seen
    assert [epoch.number for epoch in seen] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert seen[-1].training_loss < seen[0].training_loss
    assert tuned.precision == {"fp32": "float32", "bf16": "bfloat16"}[precision]
    assert {weight.dtype for weight in tuned.network.parameters()} == {torch.float32}
    assert not tuned.network.training


def test_the_weights_of_the_best_epoch_come_back(start: Start, tokenizer: MessageTokenizer) -> None:
    network = start()
    after: dict[int, Weights] = {}

    def keep(epoch: Epoch) -> None:
        after[epoch.number] = weights_of(network)

    # Enough epochs that several are all right: the first of them is not the last.
    tuned = fine_tune(network, corpus(), tokenizer, TOY, PLAIN, on_epoch=keep)
    accuracies = [epoch.validation_accuracy for epoch in tuned.epochs]
    best = accuracies.index(max(accuracies)) + 1
    assert accuracies.count(max(accuracies)) > 1
    assert tuned.best == best_of(tuned.epochs) == tuned.epochs[best - 1]
    assert same(weights_of(tuned.network), after[best])
    assert not same(weights_of(tuned.network), after[len(accuracies)])
    assert measure(tuned.network, encode(VALIDATION, tokenizer)) == (
        tuned.best.validation_loss,
        tuned.best.validation_accuracy,
    )


@given(st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=1, max_size=6))
def test_the_best_epoch_is_the_first_of_the_highest_accuracy(accuracies: list[float]) -> None:
    epochs = [Epoch(number, 0.1, 0.1, accuracy, 1.0) for number, accuracy in enumerate(accuracies, start=1)]
    assert best_of(epochs).number == accuracies.index(max(accuracies)) + 1


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_seed_gives_the_same_weights(start: Start, tokenizer: MessageTokenizer, precision: str) -> None:
    first, second = (tuned_weights(start, tokenizer, precision=precision, average_decay=0.9) for _ in range(2))
    assert same(first, second)


def test_another_seed_gives_other_weights(start: Start, tokenizer: MessageTokenizer) -> None:
    first, second = (tuned_weights(start, tokenizer, seed=seed) for seed in (1, 2))
    assert not torch.equal(first["classifier.weight"], second["classifier.weight"])


@pytest.mark.parametrize("objective", [{"augmentation_share": 0.5}, {"label_smoothing": 0.1}])
def test_the_objective_changes_what_is_learnt(
    start: Start, tokenizer: MessageTokenizer, objective: dict[str, float]
) -> None:
    plain, other = (tuned_weights(start, tokenizer, ObjectiveSettings(**given)) for given in ({}, objective))
    assert not torch.equal(plain["classifier.weight"], other["classifier.weight"])


def test_the_test_part_is_not_looked_at(start: Start, tokenizer: MessageTokenizer) -> None:
    unseen = Splits(TRAIN, VALIDATION, LabelledTexts([], []), SPLITS.overlaps)
    first, second = (fine_tune(start(), splits, tokenizer, toy(epochs=1), PLAIN).network for splits in (SPLITS, unseen))
    assert same(weights_of(first), weights_of(second))


def test_a_student_with_nothing_but_teachers_learns_what_they_say(start: Start, tokenizer: MessageTokenizer) -> None:
    shifted = (torch.tensor(TRAIN.labels) + 1) % len(EMOTIONS)
    teachers = F.one_hot(shifted, len(EMOTIONS)).float()
    taught = LabelledTexts(TRAIN.texts, shifted.tolist())
    splits = Splits(TRAIN, taught, TEST, SPLITS.overlaps)  # validated on what the teachers say
    objective = ObjectiveSettings(teachers=["taught before"], teacher_weight=1.0)
    network = fine_tune(start(), splits, tokenizer, TOY, objective, teachers=teachers).network
    assert measure(network, encode(taught, tokenizer))[1] >= 0.95


def test_patience_stops_after_so_many_epochs_without_a_better_one(start: Start, tokenizer: MessageTokenizer) -> None:
    all_of_them = fine_tune(start(), corpus(), tokenizer, TOY, PLAIN)
    stopped = fine_tune(start(), corpus(), tokenizer, toy(patience=2), PLAIN)
    assert len(stopped.epochs) == stopped.best.number + 2 < TOY.epochs
    figures = [(e.number, e.training_loss, e.validation_loss, e.validation_accuracy) for e in stopped.epochs]
    assert figures == [
        (e.number, e.training_loss, e.validation_loss, e.validation_accuracy)
        for e in all_of_them.epochs[: len(stopped.epochs)]
    ]


def test_progress_counts_up_to_the_total(start: Start, tokenizer: MessageTokenizer) -> None:
    steps: list[Progress] = []
    settings = toy(epochs=2, batch_size=100)
    tuned = fine_tune(start(), corpus(), tokenizer, settings, PLAIN, on_progress=steps.append)
    assert [step.epoch for step in steps] == [1, 1, 1, 2, 2, 2]
    assert [step.sentences for step in steps if step.sentences % 240 == 0] == [240, 480]
    assert sorted({step.sentences for step in steps}) == [step.sentences for step in steps]
    assert {step.total for step in steps} == {480}
    assert all(math.isfinite(step.loss) and step.loss > 0 and step.samples_per_s > 0 for step in steps)
    assert [steps[2].loss, steps[5].loss] == [epoch.training_loss for epoch in tuned.epochs]


def test_a_batch_may_be_larger_than_the_data(start: Start, tokenizer: MessageTokenizer) -> None:
    steps: list[Progress] = []
    tuned = fine_tune(start(), corpus(), tokenizer, toy(epochs=1, batch_size=1000), PLAIN, on_progress=steps.append)
    assert [step.sentences for step in steps] == [240]
    assert len(tuned.epochs) == 1


# What is learnt


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    smoothing=st.floats(0, 0.99),
    seed=st.integers(0, 1000),
)
def test_smoothing_is_that_of_torch(labels: list[int], smoothing: float, seed: int) -> None:
    logits = torch.randn(len(labels), 6, generator=torch.Generator().manual_seed(seed)) * 3
    targets = soft_targets(labels, ObjectiveSettings(label_smoothing=smoothing), None)
    expected = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, torch.tensor(labels))
    assert F.cross_entropy(logits, targets).item() == pytest.approx(expected.item(), abs=1e-5)


@given(
    labels=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    smoothing=st.floats(0, 0.99),
    weight=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_targets_are_probabilities(labels: list[int], smoothing: float, weight: float, seed: int) -> None:
    teachers = torch.randn(len(labels), 6, generator=torch.Generator().manual_seed(seed)).softmax(dim=1)
    objective = ObjectiveSettings(label_smoothing=smoothing, teacher_weight=weight)
    for targets in (soft_targets(labels, objective, None), soft_targets(labels, objective, teachers)):
        assert targets.shape == (len(labels), 6)
        assert targets.dtype == torch.float32
        assert (targets >= 0).all()
        np.testing.assert_allclose(targets.sum(dim=1).numpy(), 1, atol=1e-6)


def test_teachers_are_mixed_with_smoothed_labels_by_their_weight() -> None:
    teachers = torch.tensor([[0.4, 0.0, 0.0, 0.6, 0.0, 0.0]])
    objective = ObjectiveSettings(label_smoothing=0.6, teacher_weight=0.25)
    expected = [0.75 * 0.1 + 0.25 * 0.4, 0.075, 0.75 * 0.5, 0.75 * 0.1 + 0.25 * 0.6, 0.075, 0.075]
    assert soft_targets([2], objective, teachers)[0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("weight", "expected"), [(0.0, [0, 0, 1, 0, 0, 0]), (1.0, [1, 0, 0, 0, 0, 0])])
def test_a_teachers_weight_reaches_from_nothing_to_everything(weight: float, expected: list[int]) -> None:
    teachers = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    assert soft_targets([2], ObjectiveSettings(teacher_weight=weight), teachers).tolist() == [expected]


def test_a_neutral_sentence_is_equally_probable_in_all_six() -> None:
    targets = soft_targets([1, NEUTRAL], ObjectiveSettings(label_smoothing=0.25), None)
    np.testing.assert_allclose(targets[1].numpy(), [1 / 6] * 6, atol=1e-7)
    assert targets[0].argmax() == 1


def test_teachers_speak_of_the_first_sentences_only() -> None:
    teachers = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    targets = soft_targets([2, 2, NEUTRAL], ObjectiveSettings(teacher_weight=1.0), teachers)
    assert targets[:2].tolist() == [[1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]]
    np.testing.assert_allclose(targets[2].numpy(), [1 / 6] * 6, atol=1e-7)


def test_own_sentences_are_shown_as_often_as_asked(start: Start, tokenizer: MessageTokenizer) -> None:
    steps: list[Progress] = []
    teachers = F.one_hot(torch.tensor(TRAIN.labels), len(EMOTIONS)).float()
    objective = ObjectiveSettings(extra_sentences=2, augmentation_share=0.5)
    tuned = fine_tune(
        start(), corpus(), tokenizer, toy(epochs=1), objective, teachers=teachers, on_progress=steps.append
    )  # fmt: skip
    assert steps[-1].sentences == steps[-1].total == 240 + 2 * len(extra_sentences())
    assert math.isfinite(tuned.best.training_loss)


# The state


def state_of(network: DistilBert, steps: int = 10, **settings: object) -> TrainState:
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
    assert rates == pytest.approx([0.1 * share for share in (1 / 3, 2 / 3, 1, *(left / 8 for left in range(7, 0, -1)))])
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


def test_the_average_is_what_is_validated_and_kept(start: Start, tokenizer: MessageTokenizer) -> None:
    network, last = start(), {}

    def keep(_: Epoch) -> None:
        last.update(weights_of(network))

    tuned: FineTuned = fine_tune(network, corpus(), tokenizer, toy(epochs=1, average_decay=0.9), PLAIN, on_epoch=keep)
    validation = encode(VALIDATION, tokenizer)
    assert measure(tuned.network, validation) == (tuned.best.validation_loss, tuned.best.validation_accuracy)
    assert not same(weights_of(tuned.network), last)
    unaveraged = start()
    unaveraged.load_state_dict(last)
    assert measure(unaveraged, validation)[0] != tuned.best.validation_loss


def test_averaging_does_not_change_the_path_of_the_weights(start: Start, tokenizer: MessageTokenizer) -> None:
    paths = []
    for decay in (0.0, 0.9):
        network, last = start(), {}
        fine_tune(
            network,
            corpus(),
            tokenizer,
            toy(epochs=1, average_decay=decay),
            PLAIN,
            on_epoch=lambda _, network=network, last=last: last.update(weights_of(network)),
        )
        paths.append(last)
    assert same(*paths)


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


# Measuring


def test_logits_are_in_the_order_of_the_sentences(start: Start, tokenizer: MessageTokenizer) -> None:
    network = start()
    encoded = encode(sentences(150, 7), tokenizer)
    together = logits_of(network, encoded)
    with torch.inference_mode():
        alone = torch.cat([network(*pack([ids])) for ids in encoded.token_ids])
    assert together.shape == (150, 6)
    np.testing.assert_allclose(together.numpy(), alone.numpy(), atol=1e-5, rtol=0)


def test_the_measure_is_loss_and_accuracy(start: Start, tokenizer: MessageTokenizer) -> None:
    network = start().train()
    encoded = encode(VALIDATION, tokenizer)
    logits, labels = logits_of(network, encoded), torch.tensor(encoded.labels)
    loss, accuracy = measure(network.train(), encoded)
    assert loss == pytest.approx(F.cross_entropy(logits, labels).item(), abs=1e-6)
    assert accuracy == (logits.argmax(dim=1) == labels).double().mean().item()


# The network in training


def test_gradients_are_those_of_transformers() -> None:
    stock = tiny_distilbert(dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0).train()
    ours = DistilBert(SIZES)
    ours.load_state_dict(from_transformers(dict(stock.state_dict()), SIZES.n_layers))
    ours.train()
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randint(1, 30522, (length,), generator=generator).tolist() for length in (9, 4, 4, 1, 30)]
    labels = torch.tensor([0, 5, 2, 3, 1])
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)

    their_loss = stock(input_ids=ids, attention_mask=(ids > 0).long(), labels=labels).loss
    our_loss = F.cross_entropy(ours(*pack(rows)), labels)
    their_loss.backward()
    our_loss.backward()

    assert our_loss.item() == pytest.approx(their_loss.item(), abs=1e-5)
    found = to_transformers({name: weight.grad for name, weight in ours.named_parameters()}, SIZES.n_layers)
    expected = {name: weight.grad for name, weight in stock.named_parameters()}
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert gradient.abs().max() > 0, name
        np.testing.assert_allclose(found[name].numpy(), gradient.numpy(), atol=1e-5, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("place", ["dropout", "attention_dropout", "seq_classif_dropout"])
def test_every_dropout_acts_in_training_and_only_there(place: str) -> None:
    network = DistilBert(SIZES, Dropout(**{place: 0.5}))
    network.load_state_dict(from_transformers(dict(tiny_distilbert().state_dict()), SIZES.n_layers))
    batch = pack([[101, 5, 9, 102], [101, 6, 7, 102]])
    with torch.inference_mode():
        still = [network.eval()(*batch) for _ in range(2)]
        dropped = [network.train()(*batch) for _ in range(2)]
    assert torch.equal(*still)
    assert not torch.equal(*dropped)
