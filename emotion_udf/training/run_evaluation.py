"""A classifier against labelled sentences: figures, pictures and the worst errors, as files."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from emotion_udf.classifier.artifact import open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import GateError, InputError, UsageError
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.training import DataSettings
from emotion_udf.training.calibrate import fit_temperature, log_of
from emotion_udf.training.data import LabelledTexts, read_parts
from emotion_udf.training.evaluate import Metrics, Predictions, metrics_of, predict
from emotion_udf.training.pictures import draw_confusion, draw_reliability
from emotion_udf.training.probes import measure_probes
from emotion_udf.training.robustness import measure_robustness
from emotion_udf.training.through_spark import compare, score_through_spark

THRESHOLD_METRICS = ("accuracy", "macro_f1", "weighted_f1")
"""The figures that may be asked to be at least so much."""

_WORST = 50


def run_evaluation(
    classifier_settings: ClassifierSettings,
    data: DataSettings,
    part: str,
    out: Path,
    *,
    thresholds: Mapping[str, float],
    augmentation: bool = False,
    through_spark: bool = False,
    debug: bool = False,
) -> Metrics:
    """Measure a classifier and write `metrics.json`, `confusion.png`, `reliability.png` and `worst_errors.csv`.

    Files of these names in `out` are replaced, once all of them are written.

    Args:
        classifier_settings: The classifier.
        data: The labelled sentences.
        part: The part of them to measure on: train, validation or test.
        out: The folder to write to.
        thresholds: The least that figures of `THRESHOLD_METRICS` must reach.
        augmentation: Whether to measure rewritten sentences too, which takes a dozen times as long.
        through_spark: Whether to score the sentences through Spark as well, and compare.
        debug: Whether Spark should show stack traces.

    Raises:
        GateError: A figure is below its threshold, or Spark's predictions are others; the files are written.
        InputError: The sentences are missing or malformed.
        ModelError: The classifier cannot be used.
        UsageError: `out` cannot be written to.
    """
    artifact = open_artifact(classifier_settings.source)
    parts = read_parts(data)
    if part not in parts:
        raise InputError(f"expected the part {part} in {data.source}, found {', '.join(parts)}; choose with --part")
    labelled = parts[part]
    _refuse_one_emotion(labelled, part, data.source)
    classifier = load_classifier(
        artifact, classifier_settings.device, classifier_settings.token_budget, precision=classifier_settings.precision
    )
    classifier.score(labelled.texts[:64])  # the first pass sets up kernels, which would count as slowness
    predictions = predict(classifier, labelled)
    metrics = metrics_of(predictions, artifact.configuration, _fitted(classifier, parts))
    about: dict[str, Any] = {
        "model": classifier_settings.model,
        "model_fingerprint": artifact.fingerprint,
        "engine": classifier.engine_name,
        "data": data.source,
        "part": part,
        **metrics.model_dump(),
        **measure_probes(classifier).model_dump(),
    }
    if augmentation:
        about["augmentation"] = {name: r.model_dump() for name, r in measure_robustness(classifier, labelled).items()}
    mismatch: GateError | None = None
    if through_spark:
        scored, seconds = score_through_spark(labelled.texts, classifier_settings, debug)
        compared = compare(predictions.probabilities, scored, seconds)
        about["through_spark"] = compared.model_dump()
        mismatch = compared.refusal()
    _write(out, about, metrics, predictions, labelled)
    if mismatch:
        raise mismatch
    check_thresholds(metrics, thresholds)
    return metrics


def _refuse_one_emotion(labelled: LabelledTexts, part: str, source: str) -> None:
    found = sorted(set(labelled.labels))
    if len(found) < 2:
        raise InputError(
            f"expected sentences of several emotions in the part {part} of {source}, found only {EMOTIONS[found[0]]}; "
            "no figure would mean anything"
        )


def _fitted(classifier: Classifier, parts: Mapping[str, LabelledTexts]) -> float | None:
    """Return the temperature that validation asks for, for a classifier that has none of its own."""
    if classifier.artifact.configuration.temperature or "validation" not in parts:
        return None
    probabilities = classifier.score(parts["validation"].texts).probabilities
    return fit_temperature(log_of(probabilities), np.asarray(parts["validation"].labels))


def check_thresholds(metrics: Metrics, thresholds: Mapping[str, float]) -> None:
    """Raise a GateError where a metric is below its threshold."""
    found = {name: getattr(metrics, name) for name in thresholds}
    if any(found[name] < least for name, least in thresholds.items()):
        wanted = ", ".join(f"{name}={least}" for name, least in thresholds.items())
        raise GateError(
            f"expected at least {wanted}, found {', '.join(f'{name}={value:.4f}' for name, value in found.items())}"
        )


def parse_thresholds(given: list[str]) -> dict[str, float]:
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


def _write(
    out: Path, about: dict[str, Any], metrics: Metrics, predictions: Predictions, labelled: LabelledTexts
) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=out) as temporary:
            partial = Path(temporary)
            (partial / "metrics.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            title = f"{about['part']}, {metrics.sentences} sentences, accuracy {metrics.accuracy:.2%}"
            draw_confusion(metrics.confusion, title, partial / "confusion.png")
            draw_reliability(predictions, title, partial / "reliability.png")
            _write_worst(predictions, labelled, partial / "worst_errors.csv")
            for file in partial.iterdir():
                file.replace(out / file.name)
    except OSError as error:
        raise UsageError(
            f"expected a folder to write to at {out}, found {error.strerror}; name another with --out"
        ) from error


def _write_worst(predictions: Predictions, labelled: LabelledTexts, file: Path) -> None:
    """Write the wrong labels that cost the most, at most 50."""
    losses = np.where(predictions.correct, -1.0, predictions.losses)
    worst = [row for row in np.argsort(-losses, kind="stable")[:_WORST] if losses[row] >= 0]
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["text", "emotion", "label", "confidence", "probability_of_emotion", "loss"])
        for row in worst:
            probabilities = predictions.probabilities[row]
            right = labelled.labels[row]
            figures = (probabilities.max(), probabilities[right], predictions.losses[row])
            given = EMOTIONS[int(probabilities.argmax())]
            table.writerow([labelled.texts[row], EMOTIONS[right], given, *(f"{figure:.4f}" for figure in figures)])
