"""How fast the bare classifier scores, and which share of the hardware it uses. No Spark.

    python -m benchmarks.scoring --rows 8000 --model base --precision auto fp32 --profile
    python -m benchmarks.scoring --device cuda --rows 300000 --precision bf16 fp16 --cores 8

On a CPU one process a core scores its share with one thread, as Spark's workers do, all at once; a GPU is shared by
as many, with the machine's threads. Then they, or one alone on a GPU, measure what a linear layer reaches, so both are
of the same machine under the same load. Needs torch, tokenizers, pandas, pyarrow; transformers makes `--model base`.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from statistics import mean, median
from typing import Any, Final, get_args

import torch

from benchmarks.harness import DATA, Goal, Options, Parser, Row, add_common, attempt, positive, run
from benchmarks.inputs import CHUNK_ROWS, find_model, read_texts
from benchmarks.machine import computes_in_bf16
from benchmarks.processes import Processes
from benchmarks.rates import useful_flops
from benchmarks.scorer import Scorer, start_scorers
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.configuration import ModelConfig
from emotion_udf.classifier.device import Precision, choose_device

LEAST_SHARE_OF_BF16: Final = 0.7  # on a CPU that computes in bf16: of the linear rate
LEAST_GPU_SHARE: Final = 0.45  # of the square rate in bf16
LEAST_GPU_ROWS_PER_S: Final = 150_000
_PRINTED_OPERATORS = 8


def add_options(parser: Parser) -> None:
    """Add the options; every combination of precision, token budget and window is a row."""
    add_common(parser, rows=8_000, data=DATA / "tweets.parquet", model="base", cores=2, repeats=3)
    add_device(parser)
    parser.add_argument("--token-budget", type=positive, nargs="+", default=[None], help="tokens of a batch")
    parser.add_argument("--window", type=positive, nargs="+", default=[CHUNK_ROWS], help="texts tokenised at once")
    parser.add_argument("--profile", action="store_true", help="add the share of time of each operator")


def add_device(parser: Parser) -> None:
    """Add the device and the precisions."""
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=get_args(Precision), nargs="+", default=["auto"])


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each combination; one that cannot be measured says why and stops no other."""
    choose_device(options.device, torch.cuda.device_count())  # raises where there is no GPU
    model = find_model(options.model)
    sizes = open_artifact(ArtifactSource(str(model))).configuration
    texts = read_texts(options.data, options.rows)
    with start_scorers(model, texts, options.device, options.cores) as scorers:
        for precision, budget, window in product(options.precision, options.token_budget, options.window):
            names: Row = {"precision": precision, "token_budget": budget, "window": window}
            yield attempt(names, partial(_score, scorers, sizes, names, options))


def _score(scorers: Processes[Scorer], sizes: ModelConfig, names: Row, options: Options) -> Row:
    load = partial(Scorer.load, precision=names["precision"], token_budget=names["token_budget"])
    row: Row = {"engine": scorers.call(load)[0]}
    if options.device == "cuda":
        row["gpu"] = torch.cuda.get_device_name()
    score = partial(Scorer.score, window=names["window"])
    seconds = [scorers.call(score) for _ in range(options.repeats)]
    rates = scorers.call(Scorer.rates, first=1 if "gpu" in row else None)  # processes share a GPU, not a core
    row |= summarize(sizes, seconds, scorers.call(Scorer.describe), rates)
    if options.profile:
        row |= scorers.call(partial(Scorer.profile, window=names["window"]))[0]
        row |= {f"time in {one['operator'][:48]}": one["share"] for one in row["operators"][:_PRINTED_OPERATORS]}
    return row


def summarize(
    sizes: ModelConfig,
    seconds: Sequence[Sequence[float]],
    found: Sequence[dict[str, Any]],
    rates: Sequence[dict[str, float]],
) -> Row:
    """Return rates and shares of all processes together.

    Args:
        sizes: Of the network.
        seconds: Of each repetition, those of each process; a repetition lasts as long as its slowest process.
        found: What `Scorer.describe` returns in each process.
        rates: What `Scorer.rates` returns in each process, or in the one that has a GPU to itself for that.
    """
    lengths = [length for one in found for length in one["lengths"]]
    total_s = sum(map(sum, seconds))
    median_s = median(max(together) for together in seconds)
    ceilings = {name: sum(of_one[name] for of_one in rates) for name in rates[0]}
    useful = useful_flops(sizes, lengths) / median_s
    return {
        "rows_per_s": len(lengths) / median_s,
        "tokens_per_row": mean(lengths),
        "useful_gflops": useful / 1e9,
        **{f"linear_gflops_{name}": rate / 1e9 for name, rate in ceilings.items()},
        **{f"useful_of_{name}": useful / rate for name, rate in ceilings.items()},
        # Tokenising runs beside the others; the clock of `forward` runs while batches are cut, too.
        **{f"time_{name}": sum(one["phases"][name] for one in found) / total_s for name in found[0]["phases"]},
        "peak_memory_gib": found[0]["peak_memory_gib"],
        "seconds": seconds,
    }


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare the fastest row with the goals of its device."""
    best = max(rows, key=lambda row: float(row["rows_per_s"]))
    if "gpu" in best:
        return [
            Goal("rows_per_s", best["rows_per_s"], LEAST_GPU_ROWS_PER_S),
            Goal("useful_of_square_bf16", best["useful_of_square_bf16"], LEAST_GPU_SHARE),
        ]
    if not computes_in_bf16():
        return []  # what such a processor emulates in bf16 is slower than fp32
    return [Goal("useful_of_bf16", best["useful_of_bf16"], LEAST_SHARE_OF_BF16)]


if __name__ == "__main__":
    sys.exit(run("scoring", add_options, measure, goals))
