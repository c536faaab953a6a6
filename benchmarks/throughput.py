"""This project's UDF against its peers: the same rows, model and cores, Parquet to Parquet, in one run.

    python -m benchmarks.throughput --rows 200 --model tiny --peers hf-pipeline openvino-best

All read the same files, one a core, on one thread a core, with workers that have their model loaded. Peers are usual
recipes, and the best that was found: the same ones well set, and other runtimes. Beside each rate stands how its labels
and probabilities compare with those of fp32.
"""

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.contenders.contract import Answer, Request
from benchmarks.contenders.runtimes import RUNTIMES
from benchmarks.harness import BUILD, DATA, BenchmarkError, Goal, Options, Parser, Row, add_common, attempt, run
from benchmarks.inputs import find_model, write_job_input
from benchmarks.launchers import PEERS_PYTHON, job_environment, run_logged
from benchmarks.parity import agreement, probabilities
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import load_classifier
from emotion_udf.classifier.parity import MAX_CHANGE, MIN_EQUAL_LABELS
from emotion_udf.emotions import EMOTIONS

OURS: Final = "emotion-udf"
USUAL: Final = ["hf-pipeline", "spark-infer-ai", "predict-batch-udf"]
BEST: Final = [f"{name}-best" for name in [*USUAL, *RUNTIMES]]
COMMANDS: Final = {
    OURS: [sys.executable, "-m", "benchmarks.contenders.spark"],
    **{name: [str(PEERS_PYTHON), "-m", "benchmarks.contenders.spark"] for name in [*USUAL, *RUNTIMES]},
}
"""What starts each contender; its request is appended."""

WORK: Final = BUILD / "throughput"

_WARM_UP_ROWS = 64


def add_options(parser: Parser) -> None:
    """Add the options."""
    add_common(parser, rows=2_000, data=DATA / "tweets.parquet", model="base", cores=2, repeats=3, timeout=3_600)
    parser.add_argument("--peers", nargs="*", choices=[*USUAL, *BEST], default=[*USUAL, *BEST], help="whom to compare")


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each contender, this project's first."""
    if options.peers and not PEERS_PYTHON.exists():
        raise BenchmarkError(f"expected the peers' {PEERS_PYTHON}, found none; run tools/setup_benchmarks.sh")
    model = find_model(options.model)
    timed, warm_up = write_job_input(options.data, options.rows, _WARM_UP_ROWS, options.cores, WORK)
    reference = score_in_fp32(model, pq.read_table(timed)["text"].to_pylist())
    ours = 0.0
    for title in [OURS, *options.peers]:
        files = (str(model), str(timed), str(warm_up), str(WORK / title))
        name = title.removesuffix("-best")
        request = Request(name, *files, options.cores, options.repeats, best=title != name)
        row = attempt({"contender": title}, partial(run_contender, request, reference, options.timeout))
        ours = row.get("rows_per_s", 0.0) if title == OURS else ours
        if "failed" not in row and ours:
            row["times_slower"] = ours / row["rows_per_s"]
        yield row


def score_in_fp32(model: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the probabilities (N, 6) of texts, by this project's classifier in fp32."""
    return probabilities(load_classifier(open_artifact(ArtifactSource(str(model))), "cpu"), texts)


def run_contender(request: Request, reference: NDArray[np.float32], timeout_s: float) -> Row:
    """Run a contender to its end and return its figures, and how it agrees with the probabilities (N, 6) of fp32.

    Raises:
        BenchmarkError: It failed, or lost rows, however fast it was.
    """
    command = [*COMMANDS[request.contender], request.to_json()]
    run_logged(command, job_environment(Path(command[0])), Path(f"{request.output}.log"), timeout_s)
    answer: Answer = json.loads(request.answer.read_text(encoding="utf-8"))
    rates = {"rows_per_s": "seconds", "rows_per_cpu_s": "cpu_s"}
    row = {name: len(reference) / max(1e-9, median(answer[spent])) for name, spent in rates.items()}
    return row | compare(reference, request.output) | answer


def compare(reference: NDArray[np.float32], output: str) -> Row:
    """Compare what a contender wrote, whose ids count from 0, with the probabilities (N, 6) of fp32.

    Returns:
        `equal_labels`, a share, and `p99` of the change of a probability where the contender tells probabilities.
    """
    found = pq.read_table(output).to_pandas().astype({"id": int}).sort_values("id")
    if found["id"].tolist() != list(range(len(reference))):
        raise BenchmarkError(f"expected {len(reference):,} labels, found {len(found):,}")
    expected = [EMOTIONS[place] for place in reference.argmax(axis=1)]
    row = {"equal_labels": float((found["label"] == expected).mean())}
    if set(EMOTIONS) <= set(found.columns):
        row["p99"] = agreement(reference, found[list(EMOTIONS)].to_numpy(np.float32))["p99"]
    return row


def agrees(row: Row) -> bool:
    """Return whether a contender gives the labels of fp32, within the limits of this project's own precisions."""
    return bool(row["equal_labels"] >= MIN_EQUAL_LABELS and row.get("p99", 0.0) <= MAX_CHANGE)


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare this project's rate with those of the fastest usual recipe and the fastest peer whose labels agree."""
    rates = {row["contender"]: row["rows_per_s"] for row in rows if agrees(row)}
    found = []
    for name, peers in {"usual recipe": set(USUAL), "of the best": set(BEST)}.items():
        if among := peers & set(rates):
            fastest = max(among, key=rates.__getitem__)
            found.append(
                Goal(f"times as fast as the fastest {name}, {fastest}", rates.get(OURS, 0.0) / rates[fastest], 1.0)
            )
    return found


if __name__ == "__main__":
    # A contender leads a session of its own, so it would outlive a run that is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(run("throughput", add_options, measure, goals))
