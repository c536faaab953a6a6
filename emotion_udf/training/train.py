"""From settings to a finished model folder: read, initialise, fine-tune, export, evaluate, describe."""

import logging
from pathlib import Path

import torch

from emotion_udf.classifier.artifact import TOKENIZER, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.errors import UsageError
from emotion_udf.settings import TrainSettings
from emotion_udf.training.card import write_card
from emotion_udf.training.data import read_splits
from emotion_udf.training.evaluate import Evaluation, evaluate
from emotion_udf.training.export import export, refuse_existing
from emotion_udf.training.fine_tune import Epoch, fine_tune
from emotion_udf.training.initialise import initialise

log = logging.getLogger(__name__)


def train(settings: TrainSettings) -> dict[str, Evaluation]:
    """Train as the settings say and write the model's folder with its card.

    Returns:
        The finished model's figures, by split.

    Raises:
        InputError: The labelled sentences are missing or malformed.
        UsageError: The base model is missing, or the output folder exists.
    """
    folder = Path(settings.output.folder)
    refuse_existing(folder)
    base = Path(settings.base.model)
    if not (base / TOKENIZER).is_file():
        raise UsageError(f"expected an encoder with {TOKENIZER} in {base}, found none; set base.model, or `make base`")
    splits = read_splits(Path(settings.data.folder))
    log.info("train=%d validation=%d leaked=%d", len(splits.train), len(splits.validation), splits.leaked)
    torch.manual_seed(settings.optimiser.seed)  # the new head is drawn at random
    model = initialise(base)
    tokenizer = MessageTokenizer(base / TOKENIZER, model.config.max_position_embeddings)
    tuned = fine_tune(model, splits, tokenizer, settings.optimiser, on_epoch=_log_epoch)
    export(tuned.model, base / TOKENIZER, folder)
    classifier = load_classifier(open_artifact(ArtifactSource(str(folder))))
    results = {
        "validation": evaluate(classifier, splits.validation),
        "test": evaluate(classifier, splits.test),
    }
    write_card(folder, settings, splits, tuned, results)
    return results


def _log_epoch(epoch: Epoch) -> None:
    log.info(
        "epoch=%d training_loss=%.4f validation_loss=%.4f validation_accuracy=%.4f seconds=%.0f",
        epoch.number,
        epoch.training_loss,
        epoch.validation_loss,
        epoch.validation_accuracy,
        epoch.seconds,
    )
