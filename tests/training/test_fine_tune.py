"""The training loop, on a network of a few thousand weights and sentences that show their label."""

import copy
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.labelled import SourceSettings
from emotion_udf.settings.training import ObjectiveSettings, OptimizerSettings
from emotion_udf.training.batches import encode
from emotion_udf.training.data import Corpus, Source
from emotion_udf.training.fine_tune import Epoch, FineTuned, Progress, best_of, fine_tune
from emotion_udf.training.labels import NEUTRAL, UNLABELLED, LabelledTexts, label_number
from emotion_udf.training.validation import logits_of, measure
from tests.helpers.training import TRAIN, VALIDATION, Start, corpus, sentences

TOY = OptimizerSettings(learning_rate=5e-3, batch_size=16, epochs=8, warmup_share=0.1, precision="fp32")
PLAIN = ObjectiveSettings()

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
    start: Start, tokenizer: MessageTokenizer, objective: dict[str, Any]
) -> None:
    plain, other = (tuned_weights(start, tokenizer, ObjectiveSettings(**given)) for given in ({}, objective))
    assert not torch.equal(plain["classifier.weight"], other["classifier.weight"])


def test_the_test_split_is_not_looked_at(start: Start, tokenizer: MessageTokenizer) -> None:
    unseen = Corpus(
        [Source(source.settings, {**source.splits, "test": sentences(1, 9)}) for source in corpus().sources]
    )
    first, second = (fine_tune(start(), c, tokenizer, toy(epochs=1), PLAIN).network for c in (corpus(), unseen))
    assert same(weights_of(first), weights_of(second))


def test_a_student_with_nothing_but_teachers_learns_what_they_say(start: Start, tokenizer: MessageTokenizer) -> None:
    shifted = (torch.tensor(TRAIN.labels) + 1) % len(EMOTIONS)
    teachers = F.one_hot(shifted, 7).float()
    taught = LabelledTexts(TRAIN.texts, shifted.tolist())
    objective = ObjectiveSettings(teachers=["taught before"], teacher_weight=1.0)
    network = fine_tune(start(), corpus(validation=taught), tokenizer, TOY, objective, teachers=teachers).network
    assert measure(network, encode(taught, tokenizer))[1] >= 0.95


def test_a_sign_alone_teaches_the_sign(start: Start, tokenizer: MessageTokenizer) -> None:
    signs = [label_number([1, 2]) if label in (1, 2) else label_number([0, 3, 4]) for label in TRAIN.labels]
    partial = LabelledTexts(TRAIN.texts, signs).take(row for row, label in enumerate(TRAIN.labels) if label != 5)
    held_out = LabelledTexts(VALIDATION.texts, signs[:60]).take(
        r for r, label in enumerate(VALIDATION.labels) if label != 5
    )
    tuned = fine_tune(start(), corpus(partial, held_out), tokenizer, TOY, PLAIN)
    assert tuned.best.validation_accuracy >= 0.95


def test_neutral_sentences_lower_the_confidence_of_others_like_them(start: Start, tokenizer: MessageTokenizer) -> None:
    neutral = LabelledTexts([f"the parcel {i} came by train" for i in range(60)], [NEUTRAL] * 60)
    tuned = fine_tune(start(), corpus(TRAIN + neutral), tokenizer, TOY, PLAIN)
    assert tuned.best.validation_accuracy >= 0.95
    unseen = LabelledTexts([f"the parcel {i} came by train" for i in range(60, 80)], [NEUTRAL] * 20)
    confidence = [
        logits_of(tuned.network, encode(texts, tokenizer)).softmax(dim=1).amax(dim=1).mean().item()
        for texts in (unseen, VALIDATION)
    ]
    assert confidence[0] < confidence[1] - 0.2


def test_sentences_that_teach_nothing_are_not_shown(start: Start, tokenizer: MessageTokenizer) -> None:
    steps: list[Progress] = []
    unlabelled = LabelledTexts(["who knows"] * 20, [UNLABELLED] * 20)
    fine_tune(start(), corpus(TRAIN + unlabelled), tokenizer, toy(epochs=1), PLAIN, on_progress=steps.append)
    assert steps[-1].total == 240


def test_sources_are_shown_as_often_as_they_say(start: Start, tokenizer: MessageTokenizer) -> None:
    steps: list[Progress] = []
    fine_tune(start(), corpus(per_epoch=1.5), tokenizer, toy(epochs=2), PLAIN, on_progress=steps.append)
    assert steps[-1].sentences == steps[-1].total == 2 * 360


def test_the_epoch_is_chosen_by_the_mean_over_the_sources(start: Start, tokenizer: MessageTokenizer) -> None:
    (toy_source,) = corpus().sources
    wrong = LabelledTexts(VALIDATION.texts, [(label + 1) % 6 for label in VALIDATION.labels])
    other = SourceSettings(name="other", path=".", choice_weight=3.0)
    both = Corpus([toy_source, Source(other, {"validation": wrong, "test": wrong})])
    tuned = fine_tune(start(), both, tokenizer, TOY, PLAIN)
    assert tuned.best.number < 4  # what is right for the first is wrong for the other, which counts more
    for epoch in tuned.epochs:
        assert list(epoch.domains) == ["toy", "other"]
        assert epoch.validation_accuracy == pytest.approx((epoch.domains["toy"] + 3 * epoch.domains["other"]) / 4)


def test_the_average_is_what_is_validated_and_kept(start: Start, tokenizer: MessageTokenizer) -> None:
    network = start()
    last: Weights = {}

    def keep(_: Epoch) -> None:
        last.update(weights_of(network))

    tuned: FineTuned[DistilBert] = fine_tune(
        network, corpus(), tokenizer, toy(epochs=1, average_decay=0.9), PLAIN, on_epoch=keep
    )
    validation = encode(VALIDATION, tokenizer)
    assert measure(tuned.network, validation) == (tuned.best.validation_loss, tuned.best.validation_accuracy)
    assert not same(weights_of(tuned.network), last)
    unaveraged = start()
    unaveraged.load_state_dict(last)
    assert measure(unaveraged, validation)[0] != tuned.best.validation_loss


def test_averaging_does_not_change_the_path_of_the_weights(start: Start, tokenizer: MessageTokenizer) -> None:
    paths: list[Weights] = []
    for decay in (0.0, 0.9):
        network = start()
        settings = toy(epochs=1, average_decay=decay)
        fine_tune(
            network,
            corpus(),
            tokenizer,
            settings,
            PLAIN,
            on_epoch=lambda _, n=network: paths.append(weights_of(n)),  # type: ignore[misc]
        )
    assert same(*paths)


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
    settings = toy(epochs=2, batch_size=10)
    tuned = fine_tune(start(), corpus(), tokenizer, settings, PLAIN, on_progress=steps.append)
    assert [step.epoch for step in steps] == [1, 1, 1, 2, 2, 2]  # after 10, 20 and 24 batches
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
