"""A larger network that is trained once, labels what it has not seen, and leaves only these soft labels.

It has a seventh output for neutral, so that a sentence may be anything from neutral to sure of one emotion. Each of
several teachers leaves a share of the training sentences out and labels just those (cross-fitting): what a network says
of sentences that it was trained on is only their label again.
"""

import html
import logging
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel, PreTrainedModel
from transformers.utils import logging as transformers_logging

from emotion_udf.classifier.artifact import TOKENIZER, WEIGHTS
from emotion_udf.classifier.device import choose_device
from emotion_udf.classifier.packing import LengthGroup
from emotion_udf.classifier.precision import choose_training_precision
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.settings.labelled import CLASSES
from emotion_udf.settings.training import TrainSettings
from emotion_udf.training.atomic_dir import atomic_dir, refuse_existing
from emotion_udf.training.batches import encode
from emotion_udf.training.checkpoint import Checkpoint, checkpoint_name
from emotion_udf.training.data import read_corpus
from emotion_udf.training.fine_tune import Epoch, Progress, fine_tune, log_epoch
from emotion_udf.training.initialise import find_base
from emotion_udf.training.labels import UNLABELLED
from emotion_udf.training.soft_labels import SOFT_LABELS, in_fold, write_soft_labels
from emotion_udf.training.validation import logits_of

_MAX_TOKENS = 128
_BATCH = 256
_NOT_FOR_READING = re.compile(r"https?://\S+|www\.\S+|@\w+")

log = logging.getLogger(__name__)


class Teacher(nn.Module):
    """An encoder of transformers under a head of seven outputs.

    Args:
        encoder: Any encoder, such as MPNet.
    """

    def __init__(self, encoder: PreTrainedModel) -> None:
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        self.pad_id = encoder.config.pad_token_id or 0
        self.pre_classifier = nn.Linear(width, width)
        self.dropout = nn.Dropout(0.1)
        self.classifier = nn.Linear(width, len(CLASSES))
        for layer in (self.pre_classifier, self.classifier):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, token_ids: Tensor, _: Tensor, runs: Sequence[LengthGroup]) -> Tensor:
        """Return logits (B, 7) of packed rows, which it pads.

        Args:
            token_ids: (T,) the token ids of all rows, end to end.
            runs: The rows, in order.
        """
        lengths = torch.tensor([run.length for run in runs for _ in range(run.rows)])
        is_token = (torch.arange(int(lengths.max())) < lengths[:, None]).to(token_ids.device, non_blocking=True)
        padded = token_ids.new_full(is_token.shape, self.pad_id).masked_scatter_(is_token, token_ids)
        first = self.encoder(input_ids=padded, attention_mask=is_token.long()).last_hidden_state[:, 0]  # (B, width)
        logits: Tensor = self.classifier(self.dropout(F.relu(self.pre_classifier(first))))
        return logits


def load_teacher(base: Path, seed: int) -> Teacher:
    """Load the encoder of `base`, in transformers' form, under a fresh head."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    encoder = AutoModel.from_pretrained(base, use_safetensors=True, trust_remote_code=False, dtype=torch.float32)
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # nobody reads it
    torch.manual_seed(seed)
    return Teacher(encoder)


def readable(text: str) -> str:
    """Put a message into words for a tokenizer without rules of its own: no links and @names, emoji by their names."""
    words = _NOT_FOR_READING.sub(" ", html.unescape(text))
    return "".join(
        f" {unicodedata.name(sign, '').lower()} " if unicodedata.category(sign) == "So" else sign for sign in words
    )


def train_teacher(settings: TrainSettings, on_progress: Callable[[Progress], None] = lambda _: None) -> Epoch:
    """Train a teacher on all folds but one, and write the soft labels of that fold and of unlabelled sentences.

    Args:
        settings: All settings; `teacher.folds` is above 0.
        on_progress: Called every few steps.

    Returns:
        Its best epoch.

    Raises:
        InputError: The labelled sentences are missing or malformed.
        UsageError: The base cannot be used, the output folder exists, or a checkpoint belongs to other settings.
    """
    folder = Path(settings.output.folder)
    refuse_existing(folder)
    base = find_base(settings.base)
    corpus = read_corpus(settings.data, settings.objective.extra_sentences)
    texts = corpus.train.texts
    is_unseen = np.array([in_fold(text, settings.teacher.fold, settings.teacher.folds) for text in texts])
    is_unseen |= np.array(corpus.train.labels) == UNLABELLED
    worded = corpus.map_texts(readable)
    checkpoint = Checkpoint(
        folder.parent / f"{folder.name}.checkpoint", checkpoint_name(settings, [base / WEIGHTS], corpus)
    )
    tokenizer = MessageTokenizer(base / TOKENIZER, _MAX_TOKENS)
    device = choose_device(settings.optimizer.device, torch.cuda.device_count())
    tuned = fine_tune(
        load_teacher(base, settings.optimizer.seed),
        worded.training_on(~is_unseen),
        tokenizer,
        settings.optimizer,
        settings.objective,
        outputs=len(CLASSES),
        device=device,
        checkpoint=checkpoint if settings.output.checkpoints else None,
        on_progress=on_progress,
        on_epoch=log_epoch,
    )
    unseen = np.flatnonzero(is_unseen)
    logits = logits_of(
        tuned.network.to(device),
        encode(worded.train.take(unseen), tokenizer),
        batch_size=_BATCH,
        precision=choose_training_precision(settings.optimizer.precision, torch.device(device)),
    )
    with atomic_dir(folder) as partial:
        write_soft_labels(partial / SOFT_LABELS, [texts[row] for row in unseen], logits.softmax(dim=1).numpy())
    checkpoint.remove()
    return tuned.best
