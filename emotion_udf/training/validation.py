"""A network on the held-out sentences of every source, while it learns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.emotions import EMOTIONS
from emotion_udf.training.batches import Encoded, batches_by_length, encode
from emotion_udf.training.data import Corpus
from emotion_udf.training.labels import FITS, NEUTRAL
from emotion_udf.training.objective import emotion_log_probabilities

_BATCH = 64


@dataclass(frozen=True)
class Measured:
    """Loss and accuracy, as weighted means over the sources.

    Attributes:
        loss: Cross-entropy in nats; of a partial label, -log of the summed probability of what fits.
        accuracy: The share of sentences whose most probable emotion is right, or fits a partial label.
        domains: The accuracy on each source.
    """

    loss: float
    accuracy: float
    domains: dict[str, float]


@dataclass(frozen=True)
class Validation:
    """Sentences to choose the epoch by.

    Attributes:
        encoded: By source; neutral sentences have no right emotion and are not among them.
        weights: What each source counts in the mean.
    """

    encoded: Mapping[str, Encoded]
    weights: Mapping[str, float]

    def measure(self, network: nn.Module) -> Measured:
        """Measure a network in its own precision."""
        found = {name: measure(network, encoded) for name, encoded in self.encoded.items()}
        weights = [self.weights[name] for name in found]
        return Measured(
            loss=float(np.average([loss for loss, _ in found.values()], weights=weights)),
            accuracy=float(np.average([accuracy for _, accuracy in found.values()], weights=weights)),
            domains={name: accuracy for name, (_, accuracy) in found.items()},
        )


def prepare_validation(corpus: Corpus, tokenizer: MessageTokenizer) -> Validation:
    """Tokenise the validation sentences that an emotion is right for."""
    encoded = {}
    for name, labelled in corpus.held_out("validation").items():
        judged = labelled.take(row for row, label in enumerate(labelled.labels) if not FITS[label, NEUTRAL])
        if len(judged):
            encoded[name] = encode(judged, tokenizer)
    return Validation(encoded, {source.name: source.settings.choice_weight for source in corpus.sources})


@torch.inference_mode()
def logits_of(
    network: nn.Module, encoded: Encoded, *, batch_size: int = _BATCH, precision: torch.dtype = torch.float32
) -> Tensor:
    """Return the logits (N, outputs) of N sentences in their order, on the CPU; N is at least 1.

    Args:
        network: A network that maps packed rows to logits.
        encoded: The sentences.
        batch_size: Sentences a batch.
        precision: The type of the matrix products.
    """
    network.eval()
    device = next(network.parameters()).device
    batches = batches_by_length(encoded, list(range(len(encoded))), batch_size)
    with torch.autocast(device.type, dtype=precision, enabled=precision is not torch.float32):
        found = torch.cat([network(*encoded.pack(rows, device)) for rows in batches]).float().cpu()
    logits = torch.empty_like(found)
    logits[[row for rows in batches for row in rows]] = found
    return logits


def measure(network: nn.Module, encoded: Encoded) -> tuple[float, float]:
    """Return the mean loss in nats and the accuracy of `network`, in its own precision."""
    log_probabilities = emotion_log_probabilities(logits_of(network, encoded))
    fits = torch.from_numpy(FITS[encoded.labels, : len(EMOTIONS)])  # (N, 6)
    losses = -log_probabilities.masked_fill(~fits, -torch.inf).logsumexp(dim=1)
    predicted = log_probabilities.argmax(dim=1, keepdim=True)
    return losses.mean().item(), fits.gather(1, predicted).double().mean().item()
