"""Measure how far corrected shares are from the true ones, on mixes of labelled comments whose true shares are known.

python -m tools.measure_correction ../shared/data

The held-out comments of GoEmotions are cut in halves by chance, anew for each mix. One half gives the confusion matrix;
from the other, comments are drawn so that the emotions have shares of a random mix (Dirichlet, all mixes alike). The
labels of the drawn ones are counted plainly and corrected. The matrix of another domain (dair-ai/emotion) shows what
happens where it does not fit.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_udf.classifier.artifact import BUNDLED_FOLDER, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.dashboard.quantify import label_given_true, true_shares
from emotion_udf.emotions import EMOTIONS
from emotion_udf.settings.labelled import SourcesFile
from emotion_udf.settings.load import load_settings
from emotion_udf.training.evaluate import Predictions, predict
from emotion_udf.training.sources import read_source

SOURCES = Path(__file__).parents[1] / "conf" / "sources.toml"
SOURCE = "GoEmotions"
_SIZE = len(EMOTIONS)


@dataclass(frozen=True)
class Measured:
    """Mean absolute errors of a share, over all mixes and emotions, in points.

    Attributes:
        counting: Of plain counting.
        probability: Of mean probabilities.
        corrected: Of counts corrected by the matrix of the other half.
        foreign: Of counts corrected by the matrix of dair-ai/emotion.
    """

    counting: float
    probability: float
    corrected: float
    foreign: float


def label_comments(root: Path) -> Predictions:
    """Label the comments of GoEmotions that have one of the six emotions by the bundled classifier."""
    source = next(one for one in load_settings(SourcesFile, SOURCES).sources if one.name == SOURCE)
    labelled = read_source(source, str(root), ["validation"])["validation"].with_emotion
    return predict(load_classifier(open_artifact(ArtifactSource())), labelled)


def measure(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32], mixes: int, size: int, seed: int
) -> Measured:
    """Draw mixes and compare.

    Args:
        labels: (N,) true emotions.
        probabilities: (N, 6) as the classifier gives them.
        mixes: How many mixes.
        size: Comments of a mix.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    predicted = probabilities.argmax(axis=1)
    evaluation = json.loads((BUNDLED_FOLDER / "evaluation.json").read_text(encoding="utf-8"))
    foreign = next(one for one in evaluation["sets"] if one["source"] == "dair-ai/emotion" and one["split"] == "test")
    foreign_given = label_given_true(foreign["emotions"]["confusion"])
    errors = []
    for _ in range(mixes):
        is_matrix = rng.random(len(labels)) < 0.5
        given = label_given_true(_confusion(labels[is_matrix], predicted[is_matrix]))
        drawn = _draw(labels, ~is_matrix, rng.dirichlet(np.ones(_SIZE)), size, rng)
        truth = _shares(labels[drawn])
        counted = _shares(predicted[drawn])
        found = (
            counted,
            probabilities[drawn].mean(axis=0),
            true_shares(counted, given),
            true_shares(counted, foreign_given),
        )
        errors.append([np.abs(shares - truth).mean() for shares in found])
    return Measured(*(100 * float(error) for error in np.mean(errors, axis=0)))


def _draw(
    labels: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    shares: NDArray[np.float64],
    size: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Draw comments, with replacement, so that the emotions have these shares on average."""
    counts = rng.multinomial(size, shares)
    rows = [np.flatnonzero(allowed & (labels == emotion)) for emotion in range(_SIZE)]
    return np.concatenate([rng.choice(own, count) for own, count in zip(rows, counts, strict=True)])


def _confusion(labels: NDArray[np.int64], predicted: NDArray[np.intp]) -> NDArray[np.int64]:
    counts = np.zeros((_SIZE, _SIZE), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def _shares(emotions: NDArray[np.int64] | NDArray[np.intp]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = np.bincount(emotions, minlength=_SIZE) / len(emotions)
    return shares


def main(root: Path) -> None:
    """Print the errors for mixes of several sizes."""
    comments = label_comments(root)
    sys.stdout.write(f"{len(comments.labels)} comments of {SOURCE}, 200 mixes of each size, errors in points\n")
    sys.stdout.write("   size  counting  probability  corrected  by dair-ai/emotion's matrix\n")
    for size in (200, 1_000, 10_000):
        found = measure(comments.labels, comments.probabilities, 200, size, seed=1)
        errors = f"{found.counting:8.2f}  {found.probability:11.2f}  {found.corrected:9.2f}  {found.foreign:26.2f}"
        sys.stdout.write(f"{size:7,}  {errors}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
