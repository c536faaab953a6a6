"""How fast the bare classifier scores on a CPU, and which share of the hardware it uses. No Spark.

    python -m benchmarks.scoring --rows 8000 --model base --cores 2 --precision auto --out scoring.json

As workers do, one process a core scores its share with one thread. All begin together after a warm-up. Right after it
the same processes measure what a linear layer reaches (`ceiling`), so both figures are of the same machine under the
same load.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final, TypedDict, get_args
from unittest.mock import patch

from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.ceiling import PATIENCE_S, executed_flops, linear_rate, on_each_core, useful_flops
from benchmarks.inputs import BenchmarkError, default_data, find_model
from benchmarks.machine import computes_in_bf16, write_result
from benchmarks.parity import WINDOW, read_texts, windows
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.classifier import Classifier, PhaseSeconds, load_classifier
from emotion_udf.classifier.cpu.int16 import Int16Linear, can_use_int16
from emotion_udf.classifier.device import Precision
from emotion_udf.classifier.precision import DTYPES
from emotion_udf.errors import UsageError

LEAST_SHARE_OF_BF16: Final = 0.7
"""The goal, where the processor computes in bf16: useful operations as a share of the linear rate."""

_WARM_UP: Final = 64
_PROFILED: Final = 2_000
_OPERATORS: Final = 25


class OperatorShare(TypedDict):
    """An operator's own time in a profile.

    Args:
        operator: Its name in torch.
        share: Of the time of all operators, without what they call.
        seconds: The same in seconds.
        calls: How often it ran.
    """

    operator: str
    share: float
    seconds: float
    calls: int


@dataclass(frozen=True)
class Work:
    """What one process a core is asked to do; small and picklable.

    Args:
        model: The model folder.
        data: The Parquet file with the texts.
        rows: How many of them all processes score together.
        cores: How many processes there are.
        precision: As `load_classifier` takes it.
        repeats: Timed repetitions.
        profiled: Whether to profile some rows afterwards.
        ceiling_tokens: Rows of the linear layer that is measured for comparison.
    """

    model: Path
    data: Path
    rows: int
    cores: int
    precision: Precision
    repeats: int
    profiled: bool
    ceiling_tokens: int = 2_048

    def __call__(self, core: int, together: Barrier) -> "Share":
        """Score one share of the rows."""
        texts = read_texts(self.data, self.rows)
        mine = texts[self.rows * core // self.cores : self.rows * (core + 1) // self.cores]
        classifier = load_classifier(open_artifact(ArtifactSource(str(self.model))), "cpu", precision=self.precision)
        score_all(classifier, mine[:_WARM_UP])
        classifier.seconds = PhaseSeconds()
        seconds = []
        for _ in range(self.repeats):
            together.wait(PATIENCE_S)
            seconds.append(score_all(classifier, mine))
        phases = asdict(classifier.seconds)
        rates = {}
        sizes = classifier.artifact.configuration
        for name in ("fp32", "bf16", "int16") if can_use_int16(sizes) else ("fp32", "bf16"):
            together.wait(PATIENCE_S)
            rates[name] = linear_rate("cpu", DTYPES[name], self.ceiling_tokens)
        table: list[OperatorShare] = []
        if self.profiled:
            together.wait(PATIENCE_S)
            table = _profile(classifier, mine[:_PROFILED])
        return Share(classifier.engine_name, read_lengths(classifier, mine), seconds, phases, rates, table)


@dataclass(frozen=True)
class Share:
    """What one process found.

    Args:
        engine: What scored.
        lengths: Tokens of each of its texts, as the network reads them.
        seconds: Of each repetition.
        phases: Seconds of each phase, over all repetitions.
        linear_rates: FLOP/s of a linear layer by precision.
        operators: The profile, if one was asked for.
    """

    engine: str
    lengths: list[int]
    seconds: list[float]
    phases: dict[str, float]
    linear_rates: dict[str, float]
    operators: list[OperatorShare]


def score_all(classifier: Classifier, texts: Sequence[str], window: int = WINDOW) -> float:
    """Score texts in windows, as the UDF does, and return the seconds that it took."""
    started = time.perf_counter()
    for _ in classifier.score_chunks(windows(texts, window)):
        pass
    return time.perf_counter() - started


def read_lengths(classifier: Classifier, texts: Sequence[str]) -> list[int]:
    """Return how many tokens of each text the network reads."""
    return [len(ids) for ids in classifier.tokenizer.encode(texts).token_ids]


def operator_shares(profiled: profile, on_gpu: bool = False, most: int = _OPERATORS) -> list[OperatorShare]:
    """Return the operators that took the most time themselves, on the GPU or on the CPU.

    Args:
        profiled: A finished profile.
        on_gpu: Count the time of kernels instead of that of the thread that started them.
        most: How many operators to return.
    """
    own = "self_device_time_total" if on_gpu else "self_cpu_time_total"  # microseconds
    # An operator's kernels stand in the list under their own names, too: on a GPU only those count.
    kind = "CUDA" if on_gpu else "CPU"
    averages = [entry for entry in profiled.key_averages() if entry.device_type.name == kind]
    total = sum(getattr(entry, own) for entry in averages) or 1.0
    slowest = sorted(averages, key=lambda entry: -getattr(entry, own))[:most]
    return [
        OperatorShare(
            operator=str(entry.key),
            share=getattr(entry, own) / total,
            seconds=getattr(entry, own) / 1e6,
            calls=int(entry.count),
        )
        for entry in slowest
    ]


def _profile(classifier: Classifier, texts: Sequence[str]) -> list[OperatorShare]:
    write = Int16Linear.write

    def seen(*arguments: Any, **named: Any) -> None:  # the profiler knows torch's own operators only
        with record_function("Int16Linear"):
            write(*arguments, **named)

    with patch.object(Int16Linear, "write", seen), profile(activities=[ProfilerActivity.CPU]) as profiled:
        score_all(classifier, texts)
    return operator_shares(profiled)


def summarise(work: Work, shares: Sequence[Share], in_bf16: bool) -> dict[str, Any]:
    """Put what the processes found together.

    Args:
        work: What they were asked.
        shares: What each found.
        in_bf16: Whether the processor computes in bf16 itself.
    """
    sizes = open_artifact(ArtifactSource(str(work.model))).configuration
    lengths = [length for share in shares for length in share.lengths]
    seconds = [max(together) for together in zip(*(share.seconds for share in shares), strict=True)]
    median = statistics.median(seconds)
    rates = {name: sum(share.linear_rates[name] for share in shares) for name in shares[0].linear_rates}
    reached = {
        "useful": useful_flops(sizes, lengths) / median,
        "executed": executed_flops(sizes, lengths) / median,
    }
    of_bf16 = reached["useful"] / rates["bf16"]
    return {
        "engines": sorted({share.engine for share in shares}),
        "seconds": seconds,
        "seconds_by_core": [share.seconds for share in shares],
        "median_s": median,
        "rows_per_second": work.rows / median,
        "tokens_per_row": statistics.mean(lengths),
        "phase_shares": _phase_shares(shares),
        "flops": {f"{kind}_per_second": rate for kind, rate in reached.items()}
        | {
            f"{kind}_share_of_{name}": rate / ceiling
            for kind, rate in reached.items()
            for name, ceiling in rates.items()
        },
        "linear_rates": rates,
        "goal": {
            "useful_share_of_bf16": LEAST_SHARE_OF_BF16,
            "applies": in_bf16,
            "met": of_bf16 >= LEAST_SHARE_OF_BF16 if in_bf16 else None,
        },
        "operators": shares[0].operators,
    }


def _phase_shares(shares: Sequence[Share]) -> dict[str, float]:
    """Return each phase's part of the time; `tokenize` runs beside the others, `waiting` is for its first window."""
    total = sum(sum(share.seconds) for share in shares)
    tokenize, batch, forward = (
        sum(share.phases[name] for share in shares) for name in ("tokenize", "batch", "forward")
    )
    # The classifier's clock of `forward` runs while batches are cut.
    parts = {"tokenize": tokenize, "batch": batch, "forward": forward - batch, "waiting": total - forward}
    return {name: seconds / total for name, seconds in parts.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the result, and return the exit code."""
    asked = _read_arguments(arguments)
    try:
        model = find_model(asked.model)
        held = len(read_texts(asked.data, asked.rows))
        if not asked.cores <= asked.rows <= held:
            raise BenchmarkError(f"expected from {asked.cores} to {held:,} rows, found --rows {asked.rows:,}")
        open_artifact(ArtifactSource(str(model)))
    except (BenchmarkError, UsageError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    work = Work(
        model, asked.data, asked.rows, asked.cores, asked.precision, asked.repeats, asked.profile, asked.ceiling_tokens
    )
    # As workers have it; read by torch and by the tokenizer when the processes load them.
    os.environ |= {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    found = summarise(work, on_each_core(work.cores, work), computes_in_bf16())
    about: dict[str, Any] = {
        "benchmark": "scoring",
        "asked": asdict(work) | {"model": model.name, "data": asked.data.name},
    }
    write_result(asked.out, about | found)
    sys.stdout.write(_table(found))
    return 0


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", type=int, default=8_000, help="messages to score")
    parser.add_argument("--model", default="base", help="base, tiny, bundled or a folder")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="processes of one thread each")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, default=default_data(), help="Parquet file with a column text")
    parser.add_argument("--profile", action="store_true", help="add the share of time of each operator")
    parser.add_argument("--ceiling-tokens", type=int, default=2_048, help="rows of the linear layer to compare with")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    return parser.parse_args(arguments)


def _table(found: dict[str, Any]) -> str:
    flops, rates, goal = found["flops"], found["linear_rates"], found["goal"]
    lines = [
        f"{', '.join(found['engines'])}: {found['rows_per_second']:,.0f} rows/s, {found['tokens_per_row']:.1f} tokens "
        f"a row, median {found['median_s']:.2f} s of {', '.join(f'{one:.2f}' for one in found['seconds'])}",
        "time: " + ", ".join(f"{name} {share:.1%}" for name, share in found["phase_shares"].items()),
    ]
    for kind in ("useful", "executed"):
        shares = " and ".join(f"{flops[f'{kind}_share_of_{name}']:.0%} of the {name} rate" for name in rates)
        lines.append(f"{kind}: {flops[f'{kind}_per_second'] / 1e9:,.0f} GFLOP/s, {shares}")
    lines.append("a linear layer: " + ", ".join(f"{name} {rate / 1e9:,.0f} GFLOP/s" for name, rate in rates.items()))
    if goal["applies"]:
        met = "met" if goal["met"] else "NOT MET"
        lines.append(f"goal, useful at least {goal['useful_share_of_bf16']:.0%} of the bf16 rate: {met}")
    else:
        lines.append("this processor has no bf16: the goal does not apply, the share of the fp32 rate counts")
    lines += [f"  {one['share']:6.1%}  {one['operator']}  x{one['calls']}" for one in found["operators"][:12]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
