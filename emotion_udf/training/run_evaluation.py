"""A classifier measured on labelled sets: one table, and files to look closer."""

import csv
import logging
import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from emotion_udf.classifier.artifact import Artifact, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import GateError, InputError, UsageError
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.labelled import CLASSES, SPLITS, DataSettings, Split
from emotion_udf.training.by_source import MeasuredSet, SetMetrics, measure_set
from emotion_udf.training.calibrate import fit_temperature, log_of
from emotion_udf.training.evaluation_file import EVALUATION, write_evaluation
from emotion_udf.training.labels import FITS, NEUTRAL, LabelledTexts
from emotion_udf.training.probes import measure_probes, own_messages
from emotion_udf.training.robustness import measure_robustness
from emotion_udf.training.sources import is_missing, read_source

THRESHOLD_METRICS = ("accuracy", "macro_f1", "weighted_f1")
"""The metrics that may be asked to be at least so much."""

HELD_OUT: tuple[Split, ...] = ("validation", "test")

_WORST = 50

log = logging.getLogger(__name__)

Sets = Mapping[tuple[str, Split], LabelledTexts]


def run_evaluation(
    classifier_settings: ClassifierSettings,
    data: DataSettings,
    splits: Sequence[Split],
    out: Path,
    *,
    thresholds: Mapping[str, float],
    augmentation: bool = False,
    through_spark: bool = False,
    debug: bool = False,
) -> list[SetMetrics]:
    """Measure a classifier and write `evaluation.json`, `worst_errors.csv`, and pictures of every set.

    Files of these names in `out` are replaced, once all of them are written. Of several sources, those that are not
    there are named in the log and left out.

    Args:
        classifier_settings: The classifier.
        data: The labelled sentences.
        splits: Which of their splits to measure on.
        out: The folder to write to.
        thresholds: The least that metrics of `THRESHOLD_METRICS` must reach on every set that has emotions.
        augmentation: Whether to measure rewritten sentences too, which takes a dozen times as long.
        through_spark: Whether to score the sentences through Spark as well, and compare.
        debug: Whether Spark should show stack traces.

    Raises:
        GateError: A metric is below its threshold, or Spark's predictions are others; the files are written.
        InputError: The sentences are missing or malformed.
        ModelError: The classifier cannot be used.
        UsageError: `out` cannot be written to.
    """
    artifact = open_artifact(classifier_settings.source)
    found = _read(data, {*splits, "validation"})  # validation may be asked for a temperature
    if data.source is None:
        found |= {(name, "test"): messages for name, messages in own_messages().items()}
    sets = {key: labelled for key, labelled in found.items() if key[1] in splits}
    _refuse_what_cannot_be_measured(sets, splits, data)
    classifier = load_classifier(
        artifact, classifier_settings.device, classifier_settings.token_budget, precision=classifier_settings.precision
    )
    classifier.score(next(iter(sets.values())).texts[:64])  # the first pass sets up kernels, which would count as slow
    fitted = _fitted(classifier, found)
    measured = [measure_set(classifier, *key, labelled, fitted) for key, labelled in sets.items()]
    more: dict[str, Any] = {
        "model": classifier_settings.model,
        "engine": classifier.engine_name,
        "probes": measure_probes(classifier).model_dump(),
    }
    if augmentation:
        more["augmentation"] = _augmented(classifier, measured)
    mismatch: GateError | None = None
    if through_spark:
        more["through_spark"], mismatch = _through_spark(classifier_settings, measured, debug)
    _write(out, artifact, measured, more)
    if mismatch:
        raise mismatch
    metrics = [one.metrics for one in measured]
    check_thresholds(metrics, thresholds)
    return metrics


def _augmented(classifier: Classifier, measured: Sequence[MeasuredSet]) -> dict[str, Any]:
    """Measure the sentences of each set that has emotions, rewritten as people type."""
    with_emotion = {one.metrics.source: one.labelled.with_emotion for one in measured if one.metrics.emotions}
    return {
        name: {way: found.model_dump() for way, found in measure_robustness(classifier, labelled).items()}
        for name, labelled in with_emotion.items()
    }


def _through_spark(
    settings: ClassifierSettings, measured: Sequence[MeasuredSet], debug: bool
) -> tuple[dict[str, Any], GateError | None]:
    """Score all sentences through Spark, and compare; return an error where the predictions are others."""
    # Loaded here: all else runs where there is no Spark.
    from emotion_udf.training.through_spark import compare, score_through_spark

    texts = [text for one in measured for text in one.labelled.texts]
    scored, seconds = score_through_spark(texts, settings, debug)
    compared = compare(np.concatenate([one.predictions.probabilities for one in measured]), scored, seconds)
    return compared.model_dump(), compared.refusal()


def _read(data: DataSettings, splits: Set[Split]) -> dict[tuple[str, Split], LabelledTexts]:
    """Read the sources that are there, by name and split."""
    found: dict[tuple[str, Split], LabelledTexts] = {}
    for source in data.all_sources():
        if data.source is None and is_missing(source, data.root):
            log.warning("%s is not at %s, and is left out", source.name, Path(data.root, source.path))
            continue
        read = read_source(source, data.root, [split for split in SPLITS if split in splits])
        found |= {(source.name, split): labelled for split, labelled in read.items() if len(labelled)}
    return found


def _refuse_what_cannot_be_measured(sets: Sets, splits: Sequence[Split], data: DataSettings) -> None:
    where = data.source or "data.sources"
    if not sets:
        there = ", ".join(dict.fromkeys(split for _, split in _read(data, {*SPLITS}))) or "none"
        raise InputError(f"expected the split {' or '.join(splits)} in {where}, found {there}; choose with --split")
    for (name, split), labelled in sets.items():
        labels = set(labelled.labels)
        if len(labels) == 1 and min(labels) < NEUTRAL:
            raise InputError(
                f"expected sentences of several emotions in the split {split} of {data.source or name}, found only "
                f"{EMOTIONS[min(labels)]}; no metric would mean anything"
            )


def _fitted(classifier: Classifier, found: Sets) -> float | None:
    """Return the temperature that validation asks for, for a classifier that has none of its own."""
    validation = [labelled.with_emotion for (_, split), labelled in found.items() if split == "validation"]
    texts = [text for labelled in validation for text in labelled.texts]
    if classifier.artifact.configuration.temperature or not texts:
        return None
    labels = np.array([label for labelled in validation for label in labelled.labels])
    return fit_temperature(log_of(classifier.score(texts).probabilities), labels)


def check_thresholds(sets: Sequence[SetMetrics], thresholds: Mapping[str, float]) -> None:
    """Compare metrics with what they must reach.

    Raises:
        GateError: A metric of a set is below its threshold.
    """
    for one in sets:
        found = {name: getattr(one.emotions, name) for name in thresholds if one.emotions}
        if any(found[name] < thresholds[name] for name in found):
            wanted = ", ".join(f"{name}={least}" for name, least in thresholds.items())
            raise GateError(
                f"expected at least {wanted}, found {', '.join(f'{n}={v:.4f}' for n, v in found.items())} on "
                f"{one.source}, {one.split}"
            )


def parse_thresholds(given: Sequence[str]) -> dict[str, float]:
    """Read `--at-least name=value`.

    Raises:
        UsageError: A name is not one of `THRESHOLD_METRICS`, or a value is no number from 0 to 1.
    """
    thresholds = {}
    for threshold in given:
        name, _, value = threshold.partition("=")
        try:
            thresholds[name] = float(value)
        except ValueError:
            thresholds[name] = -1.0
        if name not in THRESHOLD_METRICS or not 0 <= thresholds[name] <= 1:
            raise UsageError(
                f"expected --at-least NAME=VALUE with a name of {', '.join(THRESHOLD_METRICS)} and a value "
                f"from 0 to 1, found {threshold!r}"
            )
    return thresholds


def _write(out: Path, artifact: Artifact, measured: Sequence[MeasuredSet], more: dict[str, Any]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=out) as temporary:
            partial = Path(temporary)
            write_evaluation(partial / EVALUATION, artifact, [one.metrics for one in measured], **more)
            _write_worst(measured, partial / "worst_errors.csv")
            _draw(measured, partial)
            for file in partial.iterdir():
                file.replace(out / file.name)
    except OSError as error:
        raise UsageError(
            f"expected a folder to write to at {out}, found {error.strerror}; name another with --out"
        ) from error


def _draw(measured: Sequence[MeasuredSet], folder: Path) -> None:
    """Draw each set that has emotions; pictures of several sets are named for them."""
    try:
        from emotion_udf.training.pictures import draw_confusion, draw_reliability
    except ImportError:  # a machine that only trains has no charts
        log.warning("altair is not installed: no pictures")
        return
    drawn = [one for one in measured if one.metrics.emotions]
    for one in drawn:
        metrics = one.metrics
        assert metrics.emotions  # noqa: S101 (for mypy)
        prefix = re.sub(r"\W+", "-", f"{metrics.source} {metrics.split} ") if len(drawn) > 1 else ""
        title = f"{metrics.split}, {metrics.emotions.sentences} sentences, accuracy {metrics.emotions.accuracy:.2%}"
        draw_confusion(metrics.emotions.confusion, title, folder / f"{prefix}confusion.png")
        with_emotion = one.predictions.take(one.predictions.labels < NEUTRAL)
        draw_reliability(with_emotion, title, folder / f"{prefix}reliability.png")


def _write_worst(measured: Sequence[MeasuredSet], file: Path) -> None:
    """Write the wrong labels of each set that cost the most, at most 50."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["set", "text", "emotion", "label", "confidence", "probability_of_emotion", "loss"])
        for one in measured:
            predictions = one.predictions
            losses = np.where(predictions.correct, -1.0, predictions.losses)
            for row in [row for row in np.argsort(-losses, kind="stable")[:_WORST] if losses[row] >= 0]:
                numbers = (predictions.confidence[row], np.exp(-predictions.losses[row]), predictions.losses[row])
                right = " or ".join(np.array(CLASSES)[FITS[predictions.labels[row]]])
                given = EMOTIONS[predictions.predicted[row]]
                written = (f"{number:.4f}" for number in numbers)
                table.writerow([one.metrics.source, one.labelled.texts[row], right, given, *written])
