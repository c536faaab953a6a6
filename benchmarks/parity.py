"""Whether the fast engine says what the fp32 reference says, on real messages and on labelled sentences.

    python -m benchmarks.parity --rows 20000 --out parity.json

The engines are built here and not by `load_classifier`, whose own check would put the reference in the place of an
engine that fails. Ends with exit code 1 when a limit is not kept.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from benchmarks.inputs import BenchmarkError, default_data, find_model
from benchmarks.machine import write_result
from emotion_udf.classifier.artifact import TOKENIZER, Artifact, ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import TOKEN_BUDGETS, Classifier
from emotion_udf.classifier.device import Precision, choose_device
from emotion_udf.classifier.engine import Engine, TorchEngine
from emotion_udf.classifier.parity import MAX_CHANGE, MIN_EQUAL_LABELS, compare
from emotion_udf.classifier.precision import choose_precision
from emotion_udf.classifier.tokenizer import MessageTokenizer
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import UsageError

MOST_POINTS_LOST: Final = 0.2
WINDOW: Final = 2_500
"""Texts that are tokenised at a time, as many as `classifier.chunk_rows` is by default."""

_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "max": 1.0}

MakeEngine = Callable[[Artifact, str, torch.dtype], Engine]


@dataclass(frozen=True)
class Labelled:
    """Sentences whose emotion is known.

    Args:
        texts: N sentences.
        emotions: (N,) their emotions, as places in `EMOTIONS`.
    """

    texts: list[str]
    emotions: NDArray[np.intp]


@dataclass(frozen=True)
class Agreement:
    """How far an engine is from the reference.

    Args:
        rows: Messages compared.
        equal_labels: The share of them with the very same label.
        equal_but_for_ties: The same where a label that changes between two nearly equal ones counts as equal, which
            is what a worker asks for at its start.
        changed: Quantiles of each message's largest change of a probability.
    """

    rows: int
    equal_labels: float
    equal_but_for_ties: float
    changed: dict[str, float]

    @property
    def holds(self) -> bool:
        """Whether the limits are kept; not if something is NaN."""
        return self.equal_labels >= MIN_EQUAL_LABELS and self.changed["p99"] <= MAX_CHANGE


@dataclass(frozen=True)
class Accuracy:
    """How often both are right, in per cent of the labelled sentences.

    Args:
        sentences: How many there are.
        reference: Of the fp32 reference.
        engine: Of the fast engine.
    """

    sentences: int
    reference: float
    engine: float

    @property
    def points_lost(self) -> float:
        """What the engine is worse by, in percentage points; below 0 where it is better."""
        return round(self.reference - self.engine, 6)  # 93.2 - 93.0 is a little more than 0.2 in binary

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.points_lost <= MOST_POINTS_LOST


@dataclass(frozen=True)
class Pair:
    """Two engines of one model, and its tokenizer.

    Args:
        artifact: The model.
        reference: In fp32.
        engine: The one in question.
        token_budget: Tokens in one batch of either.
    """

    artifact: Artifact
    reference: Engine
    engine: Engine
    token_budget: int = TOKEN_BUDGETS["cpu"]

    def probabilities(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what the reference and what the engine says of N texts, (N, 6) each."""
        tokenizer = MessageTokenizer(self.artifact.folder / TOKENIZER, self.artifact.max_tokens)
        both = (Classifier(self.artifact, tokenizer, one, self.token_budget) for one in (self.reference, self.engine))
        reference, found = (
            np.concatenate([scores.probabilities for scores in one.score_chunks(windows(texts, WINDOW))])
            for one in both
        )
        return reference, found


def windows(texts: Sequence[str], size: int) -> Iterator[list[str]]:
    """Cut texts into windows of `size`, the last one shorter."""
    remaining = iter(texts)
    while window := list(islice(remaining, size)):
        yield window


def agreement(pair: Pair, texts: Sequence[str]) -> Agreement:
    """Compare two engines on messages, at least one."""
    reference, found = pair.probabilities(texts)
    parity = compare(reference, found)
    return Agreement(
        rows=len(texts),
        equal_labels=float((reference.argmax(axis=1) == found.argmax(axis=1)).mean()),
        equal_but_for_ties=parity.equal_labels,
        changed={name: float(np.quantile(parity.changed, share)) for name, share in _QUANTILES.items()},
    )


def accuracy(pair: Pair, labelled: Labelled) -> Accuracy:
    """Compare how often two engines are right."""
    reference, found = (
        float((probabilities.argmax(axis=1) == labelled.emotions).mean() * 100)
        for probabilities in pair.probabilities(labelled.texts)
    )
    return Accuracy(len(labelled.texts), reference, found)


def read_texts(data: Path, rows: int) -> list[str]:
    """Read the first `rows` messages of a Parquet file with a column `text`, or all where it holds fewer.

    Raises:
        BenchmarkError: There is no such file.
    """
    if not data.is_file():
        raise BenchmarkError(f"expected messages in {data}, found no such file; name one with --data")
    texts: list[str] = pq.read_table(data, columns=["text"]).column("text").slice(0, rows).to_pylist()
    return texts


def read_labelled(file: Path) -> Labelled:
    """Read lines of `text;label`.

    Raises:
        BenchmarkError: There is no such file, or a line has another label.
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


def main(arguments: Sequence[str] | None = None, make_engine: MakeEngine = TorchEngine) -> int:
    """Compare the engines, write the result, and return the exit code.

    Args:
        arguments: The command line.
        make_engine: What builds the engine in question; the reference is torch in fp32, whatever it is.
    """
    asked = _read_arguments(arguments)
    try:
        artifact = open_artifact(ArtifactSource(str(find_model(asked.model))))
        texts, labelled = read_texts(asked.data, asked.rows), read_labelled(asked.labelled)
        device = choose_device(asked.device, torch.cuda.device_count())
        precision = choose_precision(asked.precision, torch.device(device), artifact.configuration)
    except (BenchmarkError, UsageError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    engine = make_engine(artifact, device, precision)
    pair = Pair(artifact, TorchEngine(artifact, device), engine)
    messages, sentences = agreement(pair, texts), accuracy(pair, labelled)
    holds = messages.holds and sentences.holds
    write_result(asked.out, _result(pair, messages, sentences))
    sys.stdout.write(_table(messages, sentences, f"{engine.name} against {pair.reference.name}", holds))
    return 0 if holds else 1


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", type=int, default=20_000, help="messages to compare on")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cpu")
    parser.add_argument("--model", default="bundled", help="base, tiny, bundled or a folder")
    parser.add_argument("--data", type=Path, default=default_data(), help="Parquet file with a column text")
    parser.add_argument("--labelled", type=Path, default=default_data().parent / "emotion" / "test.txt")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    return parser.parse_args(arguments)


def _result(pair: Pair, messages: Agreement, sentences: Accuracy) -> dict[str, Any]:
    return {
        "benchmark": "parity",
        "model": str(pair.artifact.folder.name),
        "fingerprint": pair.artifact.fingerprint,
        "reference": pair.reference.name,
        "engine": pair.engine.name,
        "messages": asdict(messages),
        "labelled": asdict(sentences) | {"points_lost": sentences.points_lost},
        "limits": {
            "least_equal_labels": MIN_EQUAL_LABELS,
            "most_changed_p99": MAX_CHANGE,
            "most_points_lost": MOST_POINTS_LOST,
        },
        "holds": messages.holds and sentences.holds,
    }


def _table(messages: Agreement, sentences: Accuracy, engines: str, holds: bool) -> str:
    changes = "  ".join(f"{name} {change:.5f}" for name, change in messages.changed.items())
    return (
        f"{engines}\n"
        f"{messages.rows:,} messages: {messages.equal_labels:.3%} of labels equal (at least {MIN_EQUAL_LABELS:.1%}), "
        f"{messages.equal_but_for_ties:.3%} but for ties\n"
        f"largest change of a probability: {changes} (p99 at most {MAX_CHANGE})\n"
        f"{sentences.sentences:,} labelled sentences: {sentences.reference:.2f} % and {sentences.engine:.2f} % right, "
        f"{sentences.points_lost:.2f} points lost (at most {MOST_POINTS_LOST})\n"
        f"the limits {'hold' if holds else 'DO NOT HOLD'}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
