"""From settings to a finished model folder: read, initialise, fine-tune, calibrate, export, evaluate, describe."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from emotion_udf.classifier.artifact import TOKENIZER, WEIGHTS, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.device import choose_device
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.settings.training import TrainSettings
from emotion_udf.training.atomic_dir import atomic_dir, refuse_existing
from emotion_udf.training.batches import encode
from emotion_udf.training.calibrate import fit_temperature, fold_in, lowest_confidence
from emotion_udf.training.card import CARD, Measured, write_card
from emotion_udf.training.checkpoint import Checkpoint
from emotion_udf.training.data import LabelledTexts, Splits, read_splits
from emotion_udf.training.evaluate import Metrics, metrics_of, predict
from emotion_udf.training.export import export
from emotion_udf.training.fine_tune import Epoch, FineTuned, Progress, fine_tune, logits_of
from emotion_udf.training.initialise import find_base, initialise
from emotion_udf.training.message_tokenizer import RULES_VERSION, copy_words_to_emoji, make_message_tokenizer
from emotion_udf.training.probes import measure_probes
from emotion_udf.training.robustness import measure_robustness
from emotion_udf.training.soup import Soup, average, average_classifiers, open_ingredients

log = logging.getLogger(__name__)


def train(settings: TrainSettings, on_step: Callable[[Progress], None] = lambda _: None) -> dict[str, Metrics]:
    """Train as the settings say, or average what was trained so, and write the model's folder with its card.

    An interrupted run leaves a folder `<output>.checkpoint`, from which the same settings go on.

    Args:
        settings: What to train, on what, and how.
        on_step: Called after each step.

    Returns:
        The finished model's figures on validation and test.

    Raises:
        InputError: The labelled sentences are missing or malformed.
        UsageError: A base, a teacher or a part of a soup cannot be used, the output folder exists, or a checkpoint
            beside it belongs to other settings.
    """
    folder = Path(settings.output.folder)
    refuse_existing(folder)
    base = find_base(settings.base)
    splits = read_splits(settings.data)
    counts = asdict(splits.overlaps)
    log.info("train=%d %s", len(splits.train), " ".join(f"{name}={count}" for name, count in counts.items()))
    start = initialise(base, settings.optimizer.seed)
    rules = settings.base.message_rules
    tokenizer_json = make_message_tokenizer(base / TOKENIZER, rules)
    artifacts = open_ingredients(settings.soup.of, start.sizes, tokenizer_json)
    weights = [base / WEIGHTS, *(artifact.folder / WEIGHTS for artifact in artifacts)]
    checkpoint = Checkpoint(folder.parent / f"{folder.name}.checkpoint", _name(settings, weights, splits))
    tokenizer = _tokenizer(tokenizer_json, start.sizes.max_position_embeddings)
    if artifacts and not settings.soup.train_on:
        result: FineTuned | Soup = average_classifiers(artifacts, encode(splits.validation, tokenizer))
    else:
        if artifacts:
            start.network.load_state_dict(average(artifacts).state_dict())
            # Training expects logits of the usual size; those of a mean of heads are small.
            _calibrate(start.network, splits.validation, tokenizer, settings.confidence.accuracy)
        elif rules:
            copy_words_to_emoji(start.network, tokenizer_json)
        result = fine_tune(
            start.network,
            splits,
            tokenizer,
            settings.optimizer,
            settings.objective,
            device=choose_device(settings.optimizer.device, torch.cuda.device_count()),
            teachers=teacher_probabilities(settings.objective.teachers, splits.train.texts),
            checkpoint=checkpoint,
            on_step=on_step,
            on_epoch=_log_epoch,
        )
    own = _calibrate(result.network, splits.validation, tokenizer, settings.confidence.accuracy)
    with atomic_dir(folder) as partial:
        export(
            result.network,
            start.config,
            own | ({"message_rules": RULES_VERSION} if rules else {}),
            tokenizer_json,
            partial,
        )
        classifier = load_classifier(open_artifact(ArtifactSource(str(partial))))
        parts = {
            "validation": metrics_of(predict(classifier, splits.validation), classifier.artifact.configuration),
            "test": metrics_of(predict(classifier, splits.test), classifier.artifact.configuration),
        }
        probes = measure_probes(classifier)
        augmentation = measure_robustness(classifier, splits.validation)
        write_card(partial / CARD, settings, start.sizes, splits, result, Measured(parts, probes, augmentation))
    checkpoint.remove()
    return parts


def _tokenizer(tokenizer_json: str, max_tokens: int) -> MessageTokenizer:
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / TOKENIZER
        file.write_text(tokenizer_json, encoding="utf-8")
        return MessageTokenizer(file, max_tokens)


def _name(settings: TrainSettings, weights: Sequence[Path], splits: Splits) -> str:
    """Name what a checkpoint belongs to; where the result goes does not matter."""
    about = hashlib.sha256(settings.model_dump_json(exclude={"output", "confidence"}).encode())
    about.update(json.dumps(asdict(splits)).encode())
    for file in weights:
        about.update(file.read_bytes())
    return about.hexdigest()


def teacher_probabilities(teachers: Sequence[str], texts: list[str]) -> Tensor | None:
    """Return the mean probabilities (N, 6) that classifiers give to texts; None without classifiers."""
    if not teachers:
        return None
    classifiers = (load_classifier(open_artifact(ArtifactSource(folder))) for folder in teachers)
    return torch.from_numpy(np.mean([classifier.score(texts).probabilities for classifier in classifiers], axis=0))


def _calibrate(
    network: DistilBert, validation: LabelledTexts, tokenizer: MessageTokenizer, accuracy: float
) -> dict[str, float]:
    """Fold a temperature into the network, and choose the threshold of `is_confident`."""
    encoded = encode(validation, tokenizer)
    labels = np.asarray(encoded.labels)
    logits = logits_of(network, encoded)
    temperature = fit_temperature(logits.numpy(), labels)
    fold_in(network, temperature)
    probabilities = (logits / temperature).softmax(dim=1).numpy()
    return {"temperature": temperature, "min_confidence": lowest_confidence(probabilities, labels, accuracy)}


def _log_epoch(epoch: Epoch) -> None:
    log.info(
        "epoch=%d training_loss=%.4f validation_loss=%.4f validation_accuracy=%.4f samples_per_s=%.1f",
        epoch.number,
        epoch.training_loss,
        epoch.validation_loss,
        epoch.validation_accuracy,
        epoch.samples_per_s,
    )
