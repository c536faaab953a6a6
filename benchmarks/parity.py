"""Whether a fast precision gives the labels of fp32, on messages and on labelled sentences. No Spark.

    python -m benchmarks.parity --rows 20000 --precision int16
    python -m benchmarks.parity --device cuda --precision bf16,fp16

Ends with exit code 1 where a limit is not kept.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import (
    Benchmark,
    BenchmarkError,
    Goal,
    Options,
    Parser,
    Row,
    add_messages,
    add_model,
    attempt,
    default_data,
    run,
)
from benchmarks.inputs import WINDOW_ROWS, find_model, read_texts, windows
from benchmarks.scoring import precisions
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.classifier.parity import LEAST_EQUAL_LABELS, MOST_CHANGED, compare
from emotion_udf.emotions import EMOTIONS

MOST_POINTS_LOST: Final = 0.2
"""Percentage points of accuracy that a fast precision may lose."""

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "max": 1.0}


@dataclass(frozen=True)
class Labelled:
    """Sentences whose emotion is known.

    Attributes:
        texts: N sentences.
        emotions: (N,) their emotions, as places in `EMOTIONS`.
    """

    texts: list[str]
    emotions: NDArray[np.intp]


def add_options(parser: Parser) -> None:
    """Add the options; every precision is a row."""
    add_messages(parser, rows=20_000)
    add_model(parser, "bundled")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", type=precisions, default=["auto"], help="compared with fp32 on the same device")
    labelled = default_data().parent / "emotion" / "test.txt"
    parser.add_argument("--labelled", type=Path, default=labelled, help="lines of text;label")


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each precision."""
    artifact = open_artifact(ArtifactSource(str(find_model(options.model))))
    texts = read_texts(options.data, options.rows)
    labelled = read_labelled(options.labelled)
    reference = load_classifier(artifact, options.device)
    expected = probabilities(reference, texts)
    expected_of_labelled = probabilities(reference, labelled.texts)

    def compared(name: str) -> Row:
        fast = load_classifier(artifact, options.device, precision=name)
        # A classifier whose own check failed scores in fp32 and says so: that would agree, and prove nothing.
        if "failed parity" in fast.engine_name:
            raise BenchmarkError(fast.engine_name)
        found = probabilities(fast, labelled.texts)
        return (
            {"engine": fast.engine_name, "reference": reference.engine_name, "messages": len(texts)}
            | agreement(expected, probabilities(fast, texts))
            | accuracy(labelled.emotions, expected_of_labelled, found)
        )

    for name in options.precision:
        yield attempt({"precision": name}, lambda name=name: compared(name))


def probabilities(classifier: Classifier, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the probabilities (N, 6) of N texts, scored in windows as the UDF does."""
    return np.concatenate([scores.probabilities for scores in classifier.score_windows(windows(texts, WINDOW_ROWS))])


def agreement(reference: NDArray[np.float32], found: NDArray[np.float32]) -> Row:
    """Compare probabilities (N, 6) with those of the reference.

    Returns:
        `equal_labels` is the share of texts with the very same label; in `equal_but_for_ties` one that changes between
        two nearly equal ones counts as equal, which is what a worker asks for at its start. `p50` to `max` are
        quantiles of each text's largest change of a probability.
    """
    parity = compare(reference, found)
    changed = {name: float(np.quantile(parity.changed, share)) for name, share in _QUANTILES.items()}
    equal = float((reference.argmax(axis=1) == found.argmax(axis=1)).mean())
    return {"equal_labels": equal, "equal_but_for_ties": parity.equal_labels} | changed


def accuracy(emotions: NDArray[np.intp], reference: NDArray[np.float32], found: NDArray[np.float32]) -> Row:
    """Return the accuracy in per cent of both, and the percentage points that are lost; below 0 where some are won."""
    right = [float((one.argmax(axis=1) == emotions).mean() * 100) for one in (reference, found)]
    # 93.2 - 93.0 is a little more than 0.2 in binary.
    lost = round(right[0] - right[1], 6)
    return {"sentences": len(emotions), "reference_right": right[0], "right": right[1], "points_lost": lost}


def read_labelled(file: Path) -> Labelled:
    """Read lines of `text;label`.

    Raises:
        BenchmarkError: There is no such file, no line in it, or one with another label.
    """
    if not file.is_file():
        raise BenchmarkError(f"expected labelled sentences in {file}, found no such file; name one with --labelled")
    lines = [line.rpartition(";") for line in file.read_text(encoding="utf-8").splitlines() if line]
    strange = {label for _, _, label in lines} - set(EMOTIONS)
    if strange or not lines:
        raise BenchmarkError(
            f"expected lines text;label in {file} with the labels {', '.join(EMOTIONS)}, "
            f"found {', '.join(sorted(strange)) or 'no line'}"
        )
    emotions = np.array([EMOTIONS.index(label) for _, _, label in lines])
    return Labelled([text for text, _, _ in lines], emotions)


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare each precision with the limits; all are required."""
    measured = [row for row in rows if "failed" not in row]
    return [goal for row in measured for goal in _limits(row)]


def _limits(row: Row) -> list[Goal]:
    name = row["precision"]
    return [
        Goal(f"{name} equal_labels", row["equal_labels"], LEAST_EQUAL_LABELS, is_required=True),
        Goal(f"{name} p99", row["p99"], MOST_CHANGED, is_least=False, is_required=True),
        Goal(f"{name} points_lost", row["points_lost"], MOST_POINTS_LOST, is_least=False, is_required=True),
    ]


BENCHMARK: Final = Benchmark("parity", "Compare a precision's labels with fp32's.", add_options, measure, goals)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
