"""The training loop: read top to bottom, it is all there is."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn
from transformers import DistilBertForSequenceClassification

from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.settings import OptimiserSettings
from emotion_udf.training.data import LabelledTexts, Splits

# Batches are cut from windows of this many batches sorted by length: hardly any padding, still a random order.
_WINDOW_BATCHES = 50
_EVALUATION_BATCH = 128
_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training sentences gave. Losses are mean cross-entropies in nats."""

    number: int
    training_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


@dataclass
class FineTuned:
    """A model with the weights of its best epoch, and the epochs that led there."""

    model: DistilBertForSequenceClassification
    best: Epoch
    epochs: list[Epoch] = field(default_factory=list)


@dataclass(frozen=True)
class Encoded:
    """Token ids of labelled sentences, special tokens included."""

    token_ids: list[list[int]]
    labels: list[int]


def encode(texts: LabelledTexts, tokenizer: MessageTokenizer) -> Encoded:
    """Tokenise once, before the first epoch."""
    return Encoded(tokenizer.encode(texts.texts).token_ids, texts.labels)


def fine_tune(
    model: DistilBertForSequenceClassification,
    splits: Splits,
    tokenizer: MessageTokenizer,
    settings: OptimiserSettings,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> FineTuned:
    """Train `model` in place and return it with the weights of the epoch that validated best.

    Args:
        model: A classifier with six labels, as `initialise` gives it.
        splits: Sentences to train on and to choose the epoch by; the test part is not looked at.
        tokenizer: The artifact's tokenizer.
        settings: The optimiser's settings.
        on_epoch: Called after each epoch.
    """
    torch.manual_seed(settings.seed)
    order = random.Random(settings.seed)  # noqa: S311 (a shuffle needs no secrecy)
    train, validation = encode(splits.train, tokenizer), encode(splits.validation, tokenizer)
    steps_per_epoch = -(-len(train.labels) // settings.batch_size)
    steps = steps_per_epoch * settings.epochs
    optimizer = torch.optim.AdamW(
        _decayed_and_not(model, settings.weight_decay),
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=settings.epsilon,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _linear(steps, round(steps * settings.warmup_share)))
    loss_of = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    result: FineTuned | None = None
    best_weights: dict[str, torch.Tensor] = {}
    for number in range(1, settings.epochs + 1):
        started, total, seen = time.perf_counter(), 0.0, 0
        model.train()
        for batch in _shuffled_batches(train, settings.batch_size, order):
            ids, mask, labels = _pad(train, batch)  # (B, L), (B, L), (B,)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=settings.mixed_precision):
                loss = loss_of(model(input_ids=ids, attention_mask=mask).logits.float(), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), _GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            total, seen = total + loss.item() * len(batch), seen + len(batch)
        validation_loss, accuracy = measure(model, validation)
        epoch = Epoch(number, total / seen, validation_loss, accuracy, time.perf_counter() - started)
        on_epoch(epoch)
        if result is None or epoch.validation_accuracy > result.best.validation_accuracy:
            best_weights = {name: weight.clone() for name, weight in model.state_dict().items()}
            result = FineTuned(model, epoch, result.epochs if result else [])
        result.epochs.append(epoch)
    assert result is not None, "settings ask for at least one epoch"
    model.load_state_dict(best_weights)
    return result


@torch.inference_mode()
def measure(model: DistilBertForSequenceClassification, encoded: Encoded) -> tuple[float, float]:
    """Return the mean cross-entropy in nats and the accuracy of `model`, in fp32."""
    model.train(False)
    loss, right = 0.0, 0
    by_length = sorted(range(len(encoded.labels)), key=lambda row: len(encoded.token_ids[row]))
    for start in range(0, len(by_length), _EVALUATION_BATCH):
        ids, mask, labels = _pad(encoded, by_length[start : start + _EVALUATION_BATCH])
        logits = model(input_ids=ids, attention_mask=mask).logits  # (B, 6)
        loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        right += int((logits.argmax(dim=1) == labels).sum())
    return loss / len(encoded.labels), right / len(encoded.labels)


def _decayed_and_not(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Split parameters so that biases and LayerNorms are not decayed (as BERT's own recipe does)."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]


def _linear(steps: int, warmup: int) -> Callable[[int], float]:
    """Rise from 0 over `warmup` steps, then fall to 0 at `steps`."""
    return lambda step: (step + 1) / (warmup + 1) if step < warmup else (steps - step) / max(1, steps - warmup)


def _shuffled_batches(encoded: Encoded, batch_size: int, order: random.Random) -> Iterator[list[int]]:
    """Yield row indices: shuffled, sorted by length inside windows, and the batches of a window shuffled again."""
    rows = list(range(len(encoded.labels)))
    order.shuffle(rows)
    window = batch_size * _WINDOW_BATCHES
    for start in range(0, len(rows), window):
        by_length = sorted(rows[start : start + window], key=lambda row: len(encoded.token_ids[row]))
        batches = [by_length[i : i + batch_size] for i in range(0, len(by_length), batch_size)]
        order.shuffle(batches)
        yield from batches


def _pad(encoded: Encoded, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ids (B, L), attention mask (B, L) and labels (B,) of `rows`; token 0 pads."""
    sentences = [torch.tensor(encoded.token_ids[row]) for row in rows]
    ids = nn.utils.rnn.pad_sequence(sentences, batch_first=True)
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    return ids, mask, torch.tensor([encoded.labels[row] for row in rows])
