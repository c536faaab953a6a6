"""From settings to a finished model folder: read, initialise, fine-tune, calibrate, export, evaluate, describe."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from emotion_udf.classifier.artifact import TOKENIZER, WEIGHTS, Artifact, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.classifier.device import choose_device
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.settings.training import TrainSettings
from emotion_udf.training.atomic_dir import atomic_dir, refuse_existing
from emotion_udf.training.by_source import SetMetrics, measure_set
from emotion_udf.training.card import CARD, Measurements, write_card
from emotion_udf.training.checkpoint import Checkpoint, checkpoint_name
from emotion_udf.training.confidence import calibrate
from emotion_udf.training.data import Corpus, read_corpus
from emotion_udf.training.evaluation_file import EVALUATION, write_evaluation
from emotion_udf.training.export import export, record_canary
from emotion_udf.training.fine_tune import FineTuned, Progress, fine_tune, log_epoch
from emotion_udf.training.initialise import PretrainedModel, find_base, initialise
from emotion_udf.training.labels import LabelledTexts
from emotion_udf.training.message_tokenizer import RULES_VERSION, copy_words_to_emoji, make_message_tokenizer
from emotion_udf.training.probes import measure_probes, own_messages
from emotion_udf.training.robustness import measure_robustness
from emotion_udf.training.soft_labels import teacher_probabilities
from emotion_udf.training.soup import Soup, average, average_classifiers, open_ingredients
from emotion_udf.training.validation import prepare_validation

log = logging.getLogger(__name__)


def train(settings: TrainSettings, on_progress: Callable[[Progress], None] = lambda _: None) -> list[SetMetrics]:
    """Train as the settings say, or average what was trained so, and write the model's folder with its card.

    An interrupted run leaves a folder `<output>.checkpoint`, from which the same settings go on.

    Args:
        settings: All settings.
        on_progress: Called every few steps.

    Returns:
        The finished model's metrics on validation and test of every source.

    Raises:
        InputError: The labelled sentences are missing or malformed.
        UsageError: A base, a teacher or a part of a soup cannot be used, the output folder exists, or a checkpoint
            beside it belongs to other settings.
    """
    folder = Path(settings.output.folder)
    refuse_existing(folder)
    base = find_base(settings.base)
    corpus = read_corpus(settings.data, settings.objective.extra_sentences)
    _log_corpus(corpus)
    start = initialise(base, settings.optimizer.seed)
    tokenizer_json = make_message_tokenizer(base / TOKENIZER, settings.base.message_rules)
    tokenizer = _tokenizer(tokenizer_json, start.sizes.max_position_embeddings)
    artifacts = open_ingredients(settings.soup.of, start.sizes, tokenizer_json)
    weights = [base / WEIGHTS, *(artifact.folder / WEIGHTS for artifact in artifacts)]
    checkpoint = Checkpoint(folder.parent / f"{folder.name}.checkpoint", checkpoint_name(settings, weights, corpus))
    device = choose_device(settings.optimizer.device, torch.cuda.device_count())
    result: FineTuned[DistilBert] | Soup
    if artifacts and not settings.soup.train_on:
        result = average_classifiers(artifacts, prepare_validation(corpus, tokenizer), settings.soup.weights, device)
    else:
        _set_weights(start, artifacts, corpus, tokenizer, tokenizer_json, settings)
        result = fine_tune(
            start.network,
            corpus,
            tokenizer,
            settings.optimizer,
            settings.objective,
            device=device,
            teachers=teacher_probabilities(settings.objective.teachers, corpus.train.texts, settings.optimizer.device),
            checkpoint=checkpoint if settings.output.checkpoints else None,
            on_progress=on_progress,
            on_epoch=log_epoch,
        )
    own = calibrate(result.network.to(device), corpus, tokenizer, settings.confidence)
    result.network.cpu()
    rules = {"message_rules": RULES_VERSION} if settings.base.message_rules else {}
    with atomic_dir(folder) as partial:
        export(result.network, start.config, own | rules, tokenizer_json, partial)
        classifier = load_classifier(open_artifact(ArtifactSource(str(partial))), settings.optimizer.device)
        record_canary(classifier)
        measured = _measure(classifier, corpus, own_messages() if len(corpus.sources) > 1 else {})
        write_evaluation(partial / EVALUATION, classifier.artifact, measured.sets)
        write_card(partial / CARD, settings, start.sizes, corpus, result, measured)
    checkpoint.remove()
    return measured.sets


def _set_weights(
    start: PretrainedModel,
    artifacts: Sequence[Artifact],
    corpus: Corpus,
    tokenizer: MessageTokenizer,
    tokenizer_json: str,
    settings: TrainSettings,
) -> None:
    """Put the weights that training begins with in place of the base's, where there are others."""
    if artifacts:
        start.network.load_state_dict(average(artifacts, settings.soup.weights).state_dict())
        # Training expects logits of the usual size; those of a mean of heads are small.
        calibrate(start.network, corpus, tokenizer, settings.confidence)
    elif settings.base.message_rules:
        copy_words_to_emoji(start.network, tokenizer_json)


def _measure(classifier: Classifier, corpus: Corpus, own: Mapping[str, LabelledTexts]) -> Measurements:
    validation = corpus.held_out("validation")
    test = {**corpus.held_out("test"), **own}
    sets = [measure_set(classifier, name, "validation", labelled) for name, labelled in validation.items()]
    sets += [measure_set(classifier, name, "test", labelled) for name, labelled in test.items()]
    largest = max(sets, key=lambda one: len(one.labelled.with_emotion) if one.metrics.split == "validation" else 0)
    return Measurements(
        sets=[one.metrics for one in sets],
        probes=measure_probes(classifier),
        augmentation=measure_robustness(classifier, largest.labelled.with_emotion),
        augmented=largest.metrics.source,
    )


def _tokenizer(tokenizer_json: str, max_tokens: int) -> MessageTokenizer:
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / TOKENIZER
        file.write_text(tokenizer_json, encoding="utf-8")
        return MessageTokenizer(file, max_tokens)


def _log_corpus(corpus: Corpus) -> None:
    for source in corpus.sources:
        counts = " ".join(f"{split}={len(labelled)}" for split, labelled in source.splits.items())
        log.info("source=%s %s", source.name.replace(" ", "_"), counts)
    log.info(" ".join(f"{name}={count}" for name, count in asdict(corpus.overlaps).items()))
