"""How fast the bare classifier scores, and which share of the hardware it uses. No Spark.

    python -m benchmarks.scoring --rows 8000 --model base --precision auto,fp32 --profile
    python -m benchmarks.scoring --device cuda --rows 200000 --precision bf16,fp16 --token-budget 65536,131072

On a CPU one process a core scores its share with one thread, as Spark's workers do, all at the same time; on a GPU one
process scores everything. Right afterwards the same processes measure what a linear layer reaches, so both figures are
of the same machine under the same load. Needs torch, tokenizers, pandas and pyarrow; transformers makes `--model base`.
"""

import statistics
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, Final, get_args

import torch

from benchmarks.harness import (
    Benchmark,
    BenchmarkError,
    Goal,
    Options,
    Parser,
    Row,
    add_cores,
    add_messages,
    add_model,
    add_repeats,
    attempt,
    positives,
    run,
)
from benchmarks.inputs import WINDOW_ROWS, find_model, read_texts
from benchmarks.machine import computes_in_bf16
from benchmarks.processes import Processes
from benchmarks.rates import executed_flops, useful_flops
from benchmarks.scorer import Scorer, scorer_on, scorers_on_cores
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.configuration import Configuration
from emotion_udf.classifier.device import Precision, choose_device

LEAST_SHARE_OF_BF16: Final = 0.7
"""On a CPU that computes in bf16: useful operations as a share of the linear rate in bf16."""

LEAST_GPU_ROWS_PER_S: Final = 150_000
LEAST_GPU_SHARE: Final = 0.45
"""On a GPU: useful operations as a share of the square rate in bf16."""

_PRINTED_OPERATORS = 8


def add_options(parser: Parser) -> None:
    """Add the options; every combination of precision, token budget and window is a row."""
    add_messages(parser, rows=8_000)
    add_model(parser, "base")
    add_cores(parser)
    add_repeats(parser)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", type=precisions, default=["auto"], help=f"of {', '.join(get_args(Precision))}")
    parser.add_argument("--token-budget", type=positives, default=[None], help="tokens of a batch; by device")
    parser.add_argument("--window", type=positives, default=[WINDOW_ROWS], help="texts tokenised at once")
    parser.add_argument("--profile", action="store_true", help="add the share of time of each operator")


def precisions(text: str) -> list[Precision]:
    """Read names of precisions, such as fp32,int16."""
    named: list[Any] = text.split(",")
    unknown = set(named).difference(get_args(Precision))
    if unknown:
        raise BenchmarkError(f"expected precisions of {', '.join(get_args(Precision))}, found {', '.join(unknown)}")
    return named


def measure(options: Options) -> Iterator[Row]:
    """Yield a row for each combination; one that cannot be measured says why and stops no other."""
    choose_device(options.device, torch.cuda.device_count())  # raises where there is no GPU
    model = find_model(options.model)
    sizes = open_artifact(ArtifactSource(str(model))).configuration
    texts = read_texts(options.data, options.rows)
    if options.device == "cpu" and options.rows < options.cores:
        raise BenchmarkError(f"expected at least {options.cores} rows, one a core, found --rows {options.rows}")
    on_cpu = options.device == "cpu"
    scorers = scorers_on_cores(model, texts, options.cores) if on_cpu else scorer_on("cuda", model, texts)
    with scorers:
        for precision, budget, window in product(options.precision, options.token_budget, options.window):
            names: Row = {"precision": precision, "token_budget": budget, "window": window}
            yield attempt(names, partial(_score, scorers, sizes, names, options))


def _score(scorers: Processes[Scorer], sizes: Configuration, names: Row, options: Options) -> Row:
    load = partial(Scorer.load, precision=names["precision"], token_budget=names["token_budget"])
    engines = scorers.call(load)
    score = partial(Scorer.score, window=names["window"])
    seconds = [scorers.call(score) for _ in range(options.repeats)]
    found = scorers.call(Scorer.describe)
    rates = scorers.call(Scorer.rates)
    row = {"engine": ", ".join(sorted(set(engines)))} | summarize(sizes, seconds, found, rates)
    if options.profile:
        profiled = scorers.call(partial(Scorer.profile, window=names["window"]))[0]
        slowest = profiled["operators"][:_PRINTED_OPERATORS]
        row |= {"busy": profiled["busy"], "operators": profiled["operators"]}
        row |= {f"time in {one['operator'][:48]}": one["share"] for one in slowest}
    return row


def summarize(
    sizes: Configuration,
    seconds: Sequence[Sequence[float]],
    found: Sequence[dict[str, Any]],
    rates: Sequence[dict[str, float]],
) -> Row:
    """Return rates and shares of all processes together.

    Args:
        sizes: Of the network.
        seconds: Of each repetition, those of each process; a repetition lasts as long as its slowest process.
        found: What `Scorer.describe` returns in each process.
        rates: What `Scorer.rates` returns in each process.
    """
    lengths = [length for one in found for length in one["lengths"]]
    median_s = statistics.median(max(together) for together in seconds)
    ceilings = {name: sum(of_one[name] for of_one in rates) for name in rates[0]}
    reached = {
        "useful": useful_flops(sizes, lengths) / median_s,
        "executed": executed_flops(sizes, lengths) / median_s,
    }
    shares = {
        f"{flops}_of_{name}": rate / ceiling for flops, rate in reached.items() for name, ceiling in ceilings.items()
    }
    return {
        "rows_per_s": len(lengths) / median_s,
        "tokens_per_row": statistics.mean(lengths),
        **{f"{flops}_gflops": rate / 1e9 for flops, rate in reached.items()},
        **{f"{name}_gflops": rate / 1e9 for name, rate in ceilings.items()},
        **shares,
        **_phase_shares(found, sum(map(sum, seconds))),
        "peak_memory_gib": found[0]["peak_memory_gib"],
        "seconds": [max(together) for together in seconds],
        "seconds_by_process": [list(together) for together in seconds],
    }


def _phase_shares(found: Sequence[dict[str, Any]], total_s: float) -> Row:
    """Return each phase's share of the time; `tokenize` runs beside the others, `waiting` is for its first window."""
    tokenize, batch, forward = (sum(one["phases"][name] for one in found) for name in ("tokenize", "batch", "forward"))
    # The classifier's clock of `forward` runs while batches are cut.
    seconds = {"tokenize": tokenize, "batch": batch, "forward": forward - batch, "waiting": total_s - forward}
    return {f"time_{name}": spent / total_s for name, spent in seconds.items()}


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Compare the fastest row with the goals of its device."""
    measured = [row for row in rows if "failed" not in row]
    if not measured:
        return []
    best = max(measured, key=lambda row: float(row["rows_per_s"]))
    if "useful_of_square_bf16" in best:
        return [
            Goal("rows_per_s", best["rows_per_s"], LEAST_GPU_ROWS_PER_S),
            Goal("useful_of_square_bf16", best["useful_of_square_bf16"], LEAST_GPU_SHARE),
        ]
    if not computes_in_bf16():
        return []  # what such a processor emulates in bf16 is slower than fp32
    return [Goal("useful_of_bf16", best["useful_of_bf16"], LEAST_SHARE_OF_BF16)]


BENCHMARK: Final = Benchmark("scoring", "Measure the bare classifier. No Spark.", add_options, measure, goals)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
