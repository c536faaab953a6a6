"""The training loop: read top to bottom, it is all there is."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.precision import choose_training_precision
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.training import ObjectiveSettings, OptimizerSettings
from emotion_udf.training.batches import Encoded, augment, batches_by_length, encode, shuffled_batches
from emotion_udf.training.checkpoint import Checkpoint
from emotion_udf.training.data import LabelledTexts, Splits, extra_sentences
from emotion_udf.training.train_state import TrainState

_EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training sentences gave.

    Args:
        number: From 1.
        training_loss: The mean of what training makes small, in nats; smoothing and teachers included.
        validation_loss: Mean cross-entropy with the labels, in nats.
        validation_accuracy: The share of validation sentences whose most probable emotion is the right one.
        samples_per_s: Training sentences a second, validation not counted.
    """

    number: int
    training_loss: float
    validation_loss: float
    validation_accuracy: float
    samples_per_s: float


@dataclass(frozen=True)
class Progress:
    """How far training has come.

    Args:
        epoch: The number of the running epoch.
        sentences: Trained on so far, in all epochs.
        total: To train on, in all epochs.
        loss: The mean training loss of the running epoch so far, in nats.
        samples_per_s: Training sentences a second in the running epoch.
    """

    epoch: int
    sentences: int
    total: int
    loss: float
    samples_per_s: float


@dataclass(frozen=True)
class FineTuned:
    """A network with the weights of its best epoch, and the epochs that led there.

    Args:
        network: In fp32, on the CPU.
        epochs: All of them, in order.
        precision: What the matrix products of training were computed in, as torch names it.
    """

    network: DistilBert
    epochs: list[Epoch]
    precision: str

    @property
    def best(self) -> Epoch:
        """The first of the epochs that validated best."""
        return best_of(self.epochs)


def best_of(epochs: Sequence[Epoch]) -> Epoch:
    """Return the epoch of the highest validation accuracy, the first of several."""
    return max(epochs, key=lambda epoch: epoch.validation_accuracy)


def fine_tune(
    network: DistilBert,
    splits: Splits,
    tokenizer: MessageTokenizer,
    settings: OptimizerSettings,
    objective: ObjectiveSettings,
    *,
    device: str = "cpu",
    teachers: Tensor | None = None,
    checkpoint: Checkpoint | None = None,
    on_step: Callable[[Progress], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> FineTuned:
    """Train `network` in place and return it with the weights of the epoch that validated best.

    All chance comes from the seed and the number of the epoch. So a run that goes on from a checkpoint ends with the
    same weights as one that was never interrupted.

    Args:
        network: A network with a head of six emotions, as `initialise` gives it.
        splits: Sentences to train on and to choose the epoch by; the test part is not looked at.
        tokenizer: The artifact's tokenizer.
        settings: The optimizer's settings.
        objective: What is made small.
        device: A torch device.
        teachers: The teachers' probabilities (N, 6) of the N training sentences.
        checkpoint: Where each epoch's state is kept, and found again.
        on_step: Called after each step.
        on_epoch: Called after each epoch.
    """
    on = torch.device(device)
    network.to(on)
    precision = choose_training_precision(settings.precision, on)
    own = extra_sentences().without({*splits.validation.texts, *splits.test.texts})
    sentences = splits.train + LabelledTexts(
        own.texts * objective.extra_sentences, own.labels * objective.extra_sentences
    )
    steps = settings.epochs * -(-len(sentences) // settings.batch_size)
    state = TrainState(network, settings, steps, precision)
    targets = soft_targets(sentences.labels, objective, teachers).to(on)
    validation = encode(splits.validation, tokenizer)
    epochs: list[Epoch] = []
    best: dict[str, Tensor] = {}
    if checkpoint and (saved := checkpoint.load()):
        state.restore(saved["state"])
        epochs = [Epoch(**epoch) for epoch in saved["epochs"]]
        best = saved["best"]

    while not _finished(epochs, settings):
        number = len(epochs) + 1
        torch.manual_seed(settings.seed * 1000 + number)
        rng = random.Random(settings.seed * 1000 + number)  # noqa: S311 (a shuffle needs no secrecy)
        train = encode(augment(sentences, objective.augmentation_share, rng), tokenizer)
        started, total, seen = time.perf_counter(), 0.0, 0
        network.train()
        for batch in shuffled_batches(train, settings.batch_size, rng):
            with torch.autocast(on.type, dtype=precision, enabled=precision is not torch.float32):
                logits = network(*train.pack(batch, on))  # (B, 6)
            loss = F.cross_entropy(logits.float(), targets[batch])
            state.step(loss)
            total, seen = total + loss.item() * len(batch), seen + len(batch)
            pace = seen / (time.perf_counter() - started)
            done, to_do = (number - 1) * len(train) + seen, settings.epochs * len(train)
            on_step(Progress(number, done, to_do, total / seen, pace))
        epochs.append(Epoch(number, total / seen, *measure(state.ema_model, validation), pace))
        if best_of(epochs).number == number:
            best = {name: weight.detach().cpu().clone() for name, weight in state.ema_model.state_dict().items()}
        if checkpoint:
            checkpoint.save({"state": state.state(), "epochs": [asdict(e) for e in epochs], "best": best})
        on_epoch(epochs[-1])

    network.cpu().load_state_dict(best)
    return FineTuned(network.eval(), epochs, str(precision).removeprefix("torch."))


def soft_targets(labels: Sequence[int], objective: ObjectiveSettings, teachers: Tensor | None) -> Tensor:
    """Return the probabilities (N, 6) to be learnt: the labels, smoothed, mixed with the teachers' opinion.

    Args:
        labels: N labels.
        objective: How much to smooth, and how much to listen to the teachers.
        teachers: The teachers' mean probabilities (M, 6) of the first M sentences, if there are teachers.
    """
    uniform = torch.full((1, len(EMOTIONS)), 1 / len(EMOTIONS))
    of_label = torch.cat([torch.eye(len(EMOTIONS)), uniform])  # the last row is that of NEUTRAL
    targets = torch.lerp(of_label[torch.tensor(labels)], uniform, objective.label_smoothing)
    if teachers is not None:
        taught = targets[: len(teachers)]
        taught.lerp_(teachers, objective.teacher_weight)
    return targets


@torch.inference_mode()
def logits_of(network: DistilBert, encoded: Encoded) -> Tensor:
    """Return the logits (N, 6) of N sentences in their order, on the CPU."""
    network.eval()
    device = network.classifier.weight.device
    logits = torch.empty(len(encoded), len(EMOTIONS))
    for rows in batches_by_length(encoded, list(range(len(encoded))), _EVALUATION_BATCH):
        logits[rows] = network(*encoded.pack(rows, device)).cpu()
    return logits


def measure(network: DistilBert, encoded: Encoded) -> tuple[float, float]:
    """Return the mean cross-entropy in nats and the accuracy of `network`, in its own precision."""
    logits, labels = logits_of(network, encoded), torch.tensor(encoded.labels)
    return F.cross_entropy(logits, labels).item(), (logits.argmax(dim=1) == labels).double().mean().item()


def _finished(epochs: Sequence[Epoch], settings: OptimizerSettings) -> bool:
    """Tell whether all epochs are done, or the last ones brought nothing."""
    if not epochs or settings.patience is None:
        return len(epochs) == settings.epochs
    return len(epochs) == settings.epochs or len(epochs) - best_of(epochs).number >= settings.patience
