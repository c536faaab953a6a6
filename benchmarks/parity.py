"""Whether a fast precision gives the labels of fp32, on real messages. No Spark.

    python -m benchmarks.parity --device cuda --precision bf16 fp16

Ends with exit code 1 where a limit is not kept.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import DATA, BenchmarkError, Goal, Options, Parser, Row, add_common, attempt, run
from benchmarks.inputs import CHUNK_ROWS, find_model, read_texts, windows
from benchmarks.scoring import add_device
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, load_classifier
from emotion_udf.classifier.parity import MAX_CHANGE, MIN_EQUAL_LABELS, compare

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "max": 1.0}


def add_options(parser: Parser) -> None:
    """Add the options; every precision is a row."""
    add_common(parser, rows=20_000, data=DATA / "tweets.parquet", model="bundled")
    add_device(parser)


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each precision; the reference is fp32 on the same device."""
    artifact = open_artifact(ArtifactSource(str(find_model(options.model))))
    texts = read_texts(options.data, options.rows)
    reference = load_classifier(artifact, options.device)
    expected = probabilities(reference, texts)

    def compare_with_reference(precision: str) -> Row:
        fast = load_classifier(artifact, options.device, precision=precision)  # type: ignore[arg-type]
        # A classifier whose own check failed scores in fp32 and says so: it would agree, and prove nothing.
        if "failed parity" in fast.engine_name:
            raise BenchmarkError(fast.engine_name)
        found = probabilities(fast, texts)
        return {"engine": fast.engine_name, "messages": len(texts), **agreement(expected, found)}

    for precision in options.precision:
        yield attempt({"precision": precision}, partial(compare_with_reference, precision))


def probabilities(classifier: Classifier, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the probabilities (N, 6) of N texts, scored in windows as the UDF does."""
    return np.concatenate([scores.probabilities for scores in classifier.score_chunks(windows(texts, CHUNK_ROWS))])


def agreement(reference: NDArray[np.float32], found: NDArray[np.float32]) -> Row:
    """Compare probabilities (N, 6) with those of the reference.

    Returns:
        `equal_labels` is the share of texts with the very same label; `p50` to `max` are quantiles of each text's
        largest change of a probability.
    """
    equal = float((reference.argmax(axis=1) == found.argmax(axis=1)).mean())
    changed = compare(reference, found).changed
    return {"equal_labels": equal} | {name: float(np.quantile(changed, share)) for name, share in _QUANTILES.items()}


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare each precision with the limits; all are required."""
    limits = {"equal_labels": MIN_EQUAL_LABELS, "p99": MAX_CHANGE}
    return [
        Goal(f"{row['precision']} {name}", row[name], limit, is_least=name == "equal_labels", is_required=True)
        for row in rows
        for name, limit in limits.items()
    ]


if __name__ == "__main__":
    sys.exit(run("parity", add_options, measure, goals))
