"""The training loop: read top to bottom, it is all there is."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from emotion_udf.classifier.precision import choose_training_precision
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.settings.training import ObjectiveSettings, OptimizerSettings
from emotion_udf.training.batches import Encoded, augment, draw_rows, encode, shuffled_batches
from emotion_udf.training.checkpoint import Checkpoint
from emotion_udf.training.data import Corpus
from emotion_udf.training.labels import NEUTRAL
from emotion_udf.training.objective import Targets, make_targets, teachable
from emotion_udf.training.train_state import TrainState
from emotion_udf.training.validation import prepare_validation

# Reading the loss waits for the GPU, so it is read every so many steps.
_REPORT_STEPS = 10

Network = TypeVar("Network", bound=nn.Module)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Epoch:
    """The figures of one pass over the training sentences.

    Attributes:
        number: From 1.
        training_loss: The mean of the objective in nats, smoothing and teachers included.
        validation_loss: Mean cross-entropy with the labels, in nats; the mean over the sources.
        validation_accuracy: The share of validation sentences that are labelled correctly; the mean over the sources.
        samples_per_s: Training sentences a second, validation not counted.
        domains: The validation accuracy on each source.
    """

    number: int
    training_loss: float
    validation_loss: float
    validation_accuracy: float
    samples_per_s: float
    domains: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """The progress of training.

    Attributes:
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
class FineTuned(Generic[Network]):
    """A network with the weights of its best epoch, and the epochs that led there.

    Attributes:
        network: In fp32, on the CPU.
        epochs: All of them, in order.
        precision: The type of training's matrix products, as torch names it.
    """

    network: Network
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
    network: Network,
    corpus: Corpus,
    tokenizer: MessageTokenizer,
    settings: OptimizerSettings,
    objective: ObjectiveSettings,
    *,
    outputs: int = NEUTRAL,
    device: str = "cpu",
    teachers: Tensor | None = None,
    checkpoint: Checkpoint | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> FineTuned[Network]:
    """Train `network` in place and return it with the weights of the epoch that validated best.

    All chance comes from the seed and the number of the epoch. So a run that goes on from a checkpoint ends with the
    same weights as one that was never interrupted.

    Args:
        network: A network that maps packed rows to logits, such as `initialise` gives.
        corpus: Sentences to train on and to choose the epoch by; the test split is not looked at.
        tokenizer: The artifact's tokenizer.
        settings: The optimizer's settings.
        objective: The objective's settings.
        outputs: The network's outputs: the six emotions, or seven with neutral.
        device: A torch device.
        teachers: The teachers' probabilities (N, 7) of the N training sentences.
        checkpoint: Keeps each epoch's state, and finds it again.
        on_progress: Called every few steps, and after the last one of an epoch.
        on_epoch: Called after each epoch.
    """
    on = torch.device(device)
    network.to(on)
    precision = choose_training_precision(settings.precision, on)
    chosen = teachable(corpus.train.labels, outputs, teachers)
    corpus = corpus.training_on(chosen)
    sentences = corpus.train
    per_epoch = corpus.per_sentence("per_epoch")
    plain = encode(sentences, tokenizer)
    taught = None if teachers is None else teachers[torch.from_numpy(chosen)]
    targets = _targets(corpus, objective, outputs, taught).to(on)
    size = len(draw_rows(per_epoch, random.Random(0)))  # noqa: S311 (only its length is used)
    state = TrainState(network, settings, settings.epochs * -(-size // settings.batch_size), precision)
    validation = prepare_validation(corpus, tokenizer)
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
        rows = draw_rows(per_epoch, rng)
        rewritten = augment(sentences, rows, objective.augmentation_share, rng)
        shown = _with_rewritten(plain, rows, rewritten, tokenizer)
        target_rows = torch.tensor(rows, device=on)
        started = time.perf_counter()
        total = torch.zeros((), device=on)
        seen = 0
        network.train()
        for step, batch in enumerate(shuffled_batches(shown, settings.batch_size, rng), start=1):
            with torch.autocast(on.type, dtype=precision, enabled=precision is not torch.float32):
                logits = network(*shown.pack(batch, on))  # (B, outputs)
            loss = targets.loss(logits, target_rows[torch.tensor(batch).to(on, non_blocking=True)])
            state.step(loss)
            total += loss.detach() * len(batch)
            seen += len(batch)
            if step % _REPORT_STEPS == 0 or seen == len(rows):
                mean = total.item() / seen  # waits for the GPU
                pace = seen / (time.perf_counter() - started)
                on_progress(Progress(number, (number - 1) * size + seen, settings.epochs * size, mean, pace))
        measured = validation.measure(state.ema_model)
        epochs.append(Epoch(number, mean, measured.loss, measured.accuracy, pace, measured.domains))
        if best_of(epochs).number == number:
            best = {name: weight.detach().cpu().clone() for name, weight in state.ema_model.state_dict().items()}
        if checkpoint:
            checkpoint.save({"state": state.state(), "epochs": [asdict(e) for e in epochs], "best": best})
        on_epoch(epochs[-1])

    network.cpu().load_state_dict(best)
    network.eval()
    return FineTuned(network, epochs, str(precision).removeprefix("torch."))


def log_epoch(epoch: Epoch) -> None:
    """Log an epoch's figures, and its accuracy on each source where there are several."""
    log.info(
        "epoch=%d training_loss=%.4f validation_loss=%.4f validation_accuracy=%.4f samples_per_s=%.1f",
        epoch.number,
        epoch.training_loss,
        epoch.validation_loss,
        epoch.validation_accuracy,
        epoch.samples_per_s,
    )
    if len(epoch.domains) > 1:
        log.info(" ".join(f"{name.replace(' ', '_')}={accuracy:.4f}" for name, accuracy in epoch.domains.items()))


def _targets(corpus: Corpus, objective: ObjectiveSettings, outputs: int, teachers: Tensor | None) -> Targets:
    labels = corpus.train.labels
    is_neutral = np.asarray(labels) == NEUTRAL
    own_weights = corpus.per_sentence("teacher_weight")  # not a number where the source has none of its own
    return make_targets(
        labels,
        objective.label_smoothing,
        outputs=outputs,
        weights=np.where(is_neutral, corpus.per_sentence("neutral_weight"), corpus.per_sentence("weight")),
        teachers=teachers,
        teacher_weights=np.where(np.isnan(own_weights), objective.teacher_weight, own_weights),
        teacher_temperature=objective.teacher_temperature,
        may_be_neutral=corpus.per_sentence("may_be_neutral").astype(bool),
    )


def _with_rewritten(
    plain: Encoded, rows: Sequence[int], rewritten: dict[int, str], tokenizer: MessageTokenizer
) -> Encoded:
    """Return the sentences of `rows`, tokenising only those that were rewritten."""
    token_ids = [plain.token_ids[row] for row in rows]
    for place, ids in zip(rewritten, tokenizer.encode(list(rewritten.values())).token_ids, strict=True):
        token_ids[place] = ids
    return Encoded(token_ids, [plain.labels[row] for row in rows])


def _finished(epochs: Sequence[Epoch], settings: OptimizerSettings) -> bool:
    """Tell whether all epochs are done, or the last ones brought nothing."""
    if not epochs or settings.patience is None:
        return len(epochs) == settings.epochs
    return len(epochs) == settings.epochs or len(epochs) - best_of(epochs).number >= settings.patience
