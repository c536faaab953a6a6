"""How fast the classifier scores on a GPU, where the time goes, and how much of the hardware that uses. One command.

    python -m benchmarks.gpu --out gpu.json

Needs torch, tokenizers, safetensors, numpy, pandas and pyarrow, and no Spark, Java or transformers. Tokenising is part
of every figure of scoring. A measurement that fails is reported in its line, and the others go on; the JSON is written
anew after each. Without a GPU the same code runs with tiny sizes, to see that it does.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.ceiling import executed_flops, linear_rate, square_rate, useful_flops
from benchmarks.inputs import BUILD, BUNDLED, BenchmarkError, Sizes, default_data, find_model
from benchmarks.machine import commit, describe_machine, versions
from benchmarks.parity import Pair, accuracy, agreement, read_labelled, read_texts, windows
from benchmarks.scoring import operator_shares, score_all
from emotion_udf.classifier.artifact import CONFIG, TOKENIZER, WEIGHTS, Artifact, ArtifactSource, open_artifact
from emotion_udf.classifier.attention import AttendInRuns, AttendUnpadded, attend_for
from emotion_udf.classifier.batching import cut_by_token_budget
from emotion_udf.classifier.classifier import Classifier
from emotion_udf.classifier.configuration import OWN_SECTION, Configuration
from emotion_udf.classifier.device import choose_device
from emotion_udf.classifier.distilbert import DistilBert
from emotion_udf.classifier.engine import TorchEngine
from emotion_udf.classifier.packing import find_runs, pack
from emotion_udf.classifier.parity import probe_texts
from emotion_udf.classifier.precision import TYPES
from emotion_udf.classifier.tokenizer import MessageTokenizer, Tokens
from emotion_udf.classifier.weights import to_transformers
from emotion_udf.errors import UsageError

GOAL_ROWS_PER_SECOND: Final = 150_000
GOAL_SHARE_OF_MATRIX_RATE: Final = 0.45
PUBLISHED_ROWS_PER_SECOND: Final = 1_144
"""What the card of the published model reports of its evaluation."""

# Of values around 1: a few steps of the type's own resolution.
_ATTENTION_TOLERANCE: Final = {"bf16": 2e-2, "fp16": 4e-3, "fp32": 1e-5}
_PROFILED_WINDOWS: Final = 4


@dataclass(frozen=True)
class Plan:
    """What is measured on a kind of device.

    Args:
        device: The torch device.
        rows: Texts of one timed repetition.
        sizes: Of the network that `--model base` means.
        precisions: What weights are kept in.
        token_budgets: Tokens of a batch.
        windows: Texts that are tokenised at a time; the first goes with all budgets, the others with the best.
        compiled: Which parts of the network to compile, one after the other.
        parity_rows: Messages to compare with fp32.
        linear_tokens: Rows of the linear layer that gives the ceiling.
        square: Rows and columns of the square product.
    """

    device: str
    rows: int
    sizes: Sizes
    precisions: tuple[str, ...]
    token_budgets: tuple[int, ...]
    windows: tuple[int, ...]
    compiled: tuple[str, ...]
    parity_rows: int
    linear_tokens: int
    square: int


ON_GPU: Final = Plan(
    device="cuda:0",
    rows=200_000,
    sizes=Sizes(),
    precisions=("bf16", "fp16"),
    token_budgets=(65_536, 16_384, 131_072, 262_144),
    windows=(10_000, 20_000, 50_000),
    compiled=("feed-forward", "blocks"),
    parity_rows=20_000,
    linear_tokens=65_536,
    square=8_192,
)
TINY: Final = Plan(
    device="cpu",
    rows=200,
    sizes=Sizes(dim=64, hidden_dim=128, n_heads=4, n_layers=2),
    precisions=("fp32", "bf16"),
    token_budgets=(1_024, 256),
    windows=(100, 50),
    # With attention in runs, whole blocks would be compiled anew for every batch.
    compiled=("feed-forward",),
    parity_rows=20,
    linear_tokens=64,
    square=128,
)


@dataclass(frozen=True)
class Found:
    """What a measurement found.

    Args:
        figures: For the JSON.
        text: The same for people.
        goal: What it is to be compared with.
    """

    figures: dict[str, Any]
    text: str
    goal: str = ""


@dataclass
class Record:
    """All measurements, in the order they were taken, each written down as soon as it is there.

    Args:
        out: The JSON file.
        about: What stands at its head.
        seconds: After so many no further measurement begins.
    """

    out: Path
    about: dict[str, Any]
    seconds: float
    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    def take(self, name: str, measure: Callable[[], Found]) -> dict[str, Any]:
        """Take a measurement; what stops it is written down in its place."""
        started = time.perf_counter()
        if started - self.began > self.seconds:
            entry: dict[str, Any] = {"error": f"not begun: {self.seconds:,.0f} seconds had passed (--seconds)"}
        else:
            entry = _attempt(measure) | {"took_s": time.perf_counter() - started}
        self.found[name] = entry
        self.out.write_text(json.dumps(self.about | {"measurements": self.found}, indent=2) + "\n", encoding="utf-8")
        sys.stdout.write(f"{name:<44} {entry.get('text') or 'FAILED: ' + entry['error']}\n")
        sys.stdout.flush()
        return entry


def _attempt(measure: Callable[[], Found]) -> dict[str, Any]:
    try:
        found = measure()
    except Exception as error:
        first_line = (str(error).splitlines() or [""])[0]
        return {"error": f"{type(error).__name__}: {first_line}"}
    return found.figures | {"text": found.text, "goal": found.goal}


@dataclass(frozen=True)
class Setting:
    """How texts are scored.

    Args:
        precision: Of the engine.
        token_budget: Tokens of a batch.
        window: Texts that are tokenised at a time.
        compiled: The part of the network that torch compiles; none where it is empty.
    """

    precision: str
    token_budget: int
    window: int
    compiled: str = ""

    def __str__(self) -> str:
        way = f"compiled {self.compiled}" if self.compiled else "eager"
        return f"score {self.precision} {self.token_budget:,} tokens, {self.window:,} rows, {way}"


class Bench:
    """The measurements of one model on one device.

    Args:
        plan: What to measure.
        artifact: The model.
        texts: The texts of one repetition.
        repeats: Timed repetitions after the warm-up.
    """

    def __init__(self, plan: Plan, artifact: Artifact, texts: Sequence[str], repeats: int) -> None:
        self._plan, self._artifact, self._texts, self._repeats = plan, artifact, texts, repeats
        self._tokenizer = MessageTokenizer(artifact.folder / TOKENIZER, artifact.max_tokens)
        lengths = [len(ids) for window in windows(texts, 10_000) for ids in self._tokenizer.encode(window).token_ids]
        self.tokens = sum(lengths)
        self._flops = {
            "useful": useful_flops(artifact.configuration, lengths),
            "executed": executed_flops(artifact.configuration, lengths),
        }
        self._ceilings: dict[str, float] = {}

    def linear(self, precision: str) -> Found:
        """Measure the linear layer 768 x 3072."""
        rate = linear_rate(self._plan.device, TYPES[precision], self._plan.linear_tokens)
        return self._ceiling(f"linear {precision}", rate)

    def square(self) -> Found:
        """Measure the square product in bf16."""
        rate = square_rate(self._plan.device, torch.bfloat16, self._plan.square)
        return self._ceiling("square bf16", rate)

    def _ceiling(self, name: str, rate: float) -> Found:
        self._ceilings[name] = rate
        return Found({"flops_per_second": rate}, f"{_tera(rate)} TFLOP/s")

    def score(self, setting: Setting) -> Found:
        """Time `score_windows` on all texts, tokenising included."""
        classifier = self._classifier(setting, self._tokenizer)
        return self._timed(setting, lambda: score_all(classifier, self._texts, setting.window), asdict(setting))

    def forward_alone(self, setting: Setting) -> Found:
        """Time the same with the tokens at hand, as if tokenising took no time."""
        ready = [self._tokenizer.encode(window) for window in windows(self._texts, setting.window)]
        classifier = self._classifier(setting, PreparedTokens(ready))
        return self._timed(setting, lambda: score_all(classifier, self._texts, setting.window), asdict(setting))

    def tokenize_alone(self, setting: Setting) -> Found:
        """Time the tokenizer with all its threads."""

        def tokenize() -> float:
            started = time.perf_counter()
            for window in windows(self._texts, setting.window):
                self._tokenizer.encode(window)
            return time.perf_counter() - started

        return self._host(tokenize)

    def pack_alone(self, setting: Setting) -> Found:
        """Time cutting and packing, which one Python thread does between the tokenizer and the GPU."""
        ready = [self._tokenizer.encode(window).token_ids for window in windows(self._texts, setting.window)]

        def cut_and_pack() -> float:
            started = time.perf_counter()
            for ids in ready:
                for rows in cut_by_token_budget([len(row) for row in ids], setting.token_budget):
                    pack([ids[row] for row in rows])
            return time.perf_counter() - started

        return self._host(cut_and_pack)

    def profile(self, setting: Setting) -> Found:
        """Profile some windows: the share of each operator, and how long the GPU had something to do."""
        on_gpu = self._plan.device != "cpu"
        classifier = self._classifier(setting, self._tokenizer)
        texts = self._texts[: setting.window * _PROFILED_WINDOWS]
        score_all(classifier, texts, setting.window)
        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
        with profile(activities=kinds) as profiled:
            wall_s = score_all(classifier, texts, setting.window)
        table = operator_shares(profiled, on_gpu)
        every = operator_shares(profiled, on_gpu, most=10_000)
        busy = sum(one["seconds"] for one in every) / wall_s
        of_host = operator_shares(profiled) if on_gpu else []
        slowest = ", ".join(f"{one['operator'][:48]} {one['share']:.0%}" for one in table[:6])
        return Found(
            {"wall_s": wall_s, "busy": busy, "operators": table, "operators_of_host": of_host},
            f"{'GPU' if on_gpu else 'operators'} busy {busy:.0%} of the time; {slowest}",
        )

    def _classifier(self, setting: Setting, tokenizer: MessageTokenizer) -> Classifier:
        engine = TorchEngine(self._artifact, self._plan.device, TYPES[setting.precision])
        if setting.compiled:
            compile_part(engine, setting.compiled)
        return Classifier(self._artifact, tokenizer, engine, setting.token_budget)

    def _host(self, run: Callable[[], float]) -> Found:
        seconds = [run() for _ in range(self._repeats + 1)][1:]
        rate = len(self._texts) / statistics.median(seconds)
        return Found(
            {"seconds": seconds, "rows_per_second": rate}, f"{rate:>10,.0f} rows/s", f"{GOAL_ROWS_PER_SECOND:,} rows/s"
        )

    def _timed(self, setting: Setting, run: Callable[[], float], figures: dict[str, Any]) -> Found:
        """Time a run over all texts on the device, and compare it with the ceilings."""
        on_gpu = self._plan.device != "cpu"
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        seconds = [run() for _ in range(self._repeats + 1)][1:]  # the first one warms up
        median = statistics.median(seconds)
        rate = len(self._texts) / median
        shares = {
            f"{kind}_share_of_{name}": flops / median / ceiling
            for kind, flops in self._flops.items()
            for name, ceiling in self._ceilings.items()
        }
        figures = figures | {
            "seconds": seconds,
            "median_s": median,
            "rows_per_second": rate,
            "useful_flops_per_second": self._flops["useful"] / median,
            "executed_flops_per_second": self._flops["executed"] / median,
            "shares": shares,
            "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if on_gpu else None,
        }
        of_square = shares.get("useful_share_of_square bf16", float("nan"))
        of_linear = shares.get(f"useful_share_of_linear {setting.precision}", float("nan"))
        memory = f", {figures['peak_memory_gib']:.1f} GiB" if on_gpu else ""
        return Found(
            figures,
            f"{rate:>10,.0f} rows/s, useful {_tera(self._flops['useful'] / median)} TFLOP/s, {of_square:.0%} of the "
            f"square and {of_linear:.0%} of the linear rate{memory}",
            f"{GOAL_ROWS_PER_SECOND:,} rows/s, {GOAL_SHARE_OF_MATRIX_RATE:.0%}",
        )


class PreparedTokens(MessageTokenizer):
    """Gives tokens that were made before, window by window, and begins again after the last.

    Args:
        ready: The tokens of each window.
    """

    def __init__(self, ready: Sequence[Tokens]) -> None:
        self._ready = cycle(ready)

    def encode(self, texts: Sequence[str]) -> Tokens:  # noqa: ARG002 - they are known
        """Return the tokens of the next window."""
        return next(self._ready)


def compile_part(engine: TorchEngine, part: str) -> None:
    """Let torch compile a part of an engine's network, in place.

    Args:
        engine: The engine.
        part: `feed-forward`, what follows the attention in each block; or `blocks`, all but the last as a whole.
    """
    blocks: Any = engine._network.blocks
    if part == "blocks":
        for block in blocks[:-1]:
            block.compile(dynamic=True)
        return
    for block in blocks:
        block._feed_forward = torch.compile(block._feed_forward, dynamic=True)


@torch.inference_mode()
def check_attention(device: str, precision: str, heads: int = 12, size: int = 64) -> Found:
    """Compare the attention that a batch gets on this device with fp32 in runs of equal length.

    Args:
        device: A torch device.
        precision: Of queries, keys and values.
        heads: Attention heads.
        size: Width of a head.
    """
    generator = torch.Generator().manual_seed(0)
    runs = find_runs(sorted(torch.randint(1, 64, (300,), generator=generator).tolist(), reverse=True))
    first = torch.tensor([run.start + row * run.length for run in runs for row in range(run.rows)])
    qkv = torch.randn(runs[-1].span.stop, 3 * heads * size, generator=generator).to(device, TYPES[precision])
    # As in the network: three views of one product, not three tensors.
    q, k, v = (part.view(len(part), heads, size) for part in qkv.chunk(3, dim=1))
    attend, in_runs = attend_for(runs, q, 0.0), AttendInRuns(runs)
    errors = {}
    for name, queries in (("all", q), ("first", q[first.to(device)])):
        exact = in_runs(queries.float(), k.float(), v.float())
        errors[name] = float((attend(queries, k, v).float() - exact).abs().max())
        errors[f"{name}_in_runs"] = float((in_runs(queries, k, v).float() - exact).abs().max())
    holds = max(errors["all"], errors["first"]) <= _ATTENTION_TOLERANCE[precision]  # false for NaN
    unpadded = isinstance(attend, AttendUnpadded)
    return Found(
        {"unpadded": unpadded, "largest_errors": errors, "holds": holds},
        f"{'varlen kernel' if unpadded else 'IN RUNS, no varlen kernel here'}: off by {errors['all']:.1e}, first "
        f"tokens {errors['first']:.1e}; in runs {errors['all_in_runs']:.1e}{'' if holds else '; DOES NOT HOLD'}",
        f"at most {_ATTENTION_TOLERANCE[precision]:.0e}",
    )


def check_parity(device: str, precision: str, texts: Sequence[str], labelled: Path) -> Found:
    """Compare the bundled classifier with itself in fp32, on the same device.

    Args:
        device: A torch device.
        precision: Of the engine in question.
        texts: Messages.
        labelled: Sentences with their labels; left out where there is no such file.
    """
    artifact = open_artifact(ArtifactSource())
    engine = TorchEngine(artifact, device, TYPES[precision])
    pair = Pair(artifact, TorchEngine(artifact, device), engine, 65_536 if device != "cpu" else 4_096)
    messages = agreement(pair, texts)
    figures: dict[str, Any] = {"messages": asdict(messages), "holds": messages.holds}
    text = f"{messages.equal_labels:.2%} of {messages.rows:,} labels equal, p99 {messages.changed['p99']:.4f}"
    if device != "cpu" and labelled.is_file():
        right = accuracy(pair, read_labelled(labelled))
        figures |= {"labelled": asdict(right), "holds": messages.holds and right.holds}
        text += f", {right.reference:.2f} % and {right.engine:.2f} % right"
    holds = "" if figures["holds"] else "; DOES NOT HOLD"
    return Found(figures, text + holds, "99.5 %, 0.05, 0.2 points")


def write_random_model(folder: Path, sizes: Sizes, seed: int = 1) -> Path:
    """Write a classifier of random weights with the bundled one's tokenizer and labels, unless it is there.

    Unlike `inputs.make_model` it needs no transformers.

    Args:
        folder: Where it goes.
        sizes: The sizes of the network.
        seed: Of the weights.
    """
    if (folder / CONFIG).is_file():
        return folder
    torch.manual_seed(seed)
    network = DistilBert(Configuration(**asdict(sizes)))
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)  # as transformers begins
    config = json.loads((BUNDLED / CONFIG).read_text(encoding="utf-8")) | asdict(sizes)
    config.pop(OWN_SECTION, None)  # it is of the weights that this one does not have
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    theirs = to_transformers(network.state_dict(), sizes.n_layers)
    save_file({name: weight.contiguous().clone() for name, weight in theirs.items()}, unfinished / WEIGHTS)
    (unfinished / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    shutil.copyfile(BUNDLED / TOKENIZER, unfinished / TOKENIZER)
    unfinished.rename(folder)
    return folder


def paired_probes() -> list[str]:
    """Return texts of about a tweet's length, two probe sentences each, for machines that have no tweets."""
    probes = probe_texts()
    step = len(probes) // 2 + 1
    return [f"{text} {probes[(place + step) % len(probes)]}" for place, text in enumerate(probes)]


def measure_all(record: Record, bench: Bench, plan: Plan, texts: Sequence[str], labelled: Path) -> None:
    """Take every measurement, what others are compared with first."""
    for precision in plan.precisions:
        record.take(f"linear 768 x 3072 {precision}", partial(bench.linear, precision))
    record.take(f"square {plan.square:,} bf16", bench.square)
    for precision in plan.precisions:
        record.take(f"attention {precision}", partial(check_attention, plan.device, precision))
        parity = partial(check_parity, plan.device, precision, texts[: plan.parity_rows], labelled)
        record.take(f"parity {precision}", parity)
    grid = [Setting(kind, budget, plan.windows[0]) for kind in plan.precisions for budget in plan.token_budgets]
    best = _best_of(record, bench, grid)
    if best is None:
        return
    others = [Setting(best.precision, best.token_budget, window) for window in plan.windows[1:]]
    best = _best_of(record, bench, others, best) or best
    for part in plan.compiled:
        compiled = Setting(best.precision, best.token_budget, best.window, part)
        record.take(str(compiled), partial(bench.score, compiled))
    record.about["best_eager"] = asdict(best)
    for name, measure in (
        ("forward", bench.forward_alone),
        ("tokenize", bench.tokenize_alone),
        ("cut and pack", bench.pack_alone),
        ("profile", bench.profile),
    ):
        alone = name if name == "profile" else f"{name} alone"
        record.take(f"{alone} of the best eager", partial(measure, best))


def _best_of(record: Record, bench: Bench, settings: Sequence[Setting], best: Setting | None = None) -> Setting | None:
    """Score with each setting, and return the fastest of them and of `best`; None where all failed."""
    for setting in settings:
        entry = record.take(str(setting), partial(bench.score, setting))
        rate = entry.get("rows_per_second", 0.0)
        if rate > (record.found[str(best)]["rows_per_second"] if best else 0.0):
            best = setting
    return best


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything, print the table, and return the exit code."""
    asked = _read_arguments(arguments)
    try:
        on_gpu = choose_device(asked.device, torch.cuda.device_count()) != "cpu"
        plan = ON_GPU if on_gpu else TINY
        folder = _base_model(plan) if asked.model == "base" else find_model(asked.model)
        artifact = open_artifact(ArtifactSource(str(folder)))
    except (BenchmarkError, UsageError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    rows = asked.rows or plan.rows
    notes = [] if on_gpu else ["no GPU: tiny sizes on the CPU, which only show that the benchmark runs"]
    some, note = _texts(asked.data, rows)
    notes += note
    texts = list(islice(cycle(some), rows))
    bench = Bench(plan, artifact, texts, asked.repeats)
    about: dict[str, Any] = {
        "benchmark": "gpu",
        "commit": commit(),
        "machine": describe_machine(),
        "gpu": _describe_gpu() if on_gpu else None,
        "versions": versions(),
        "notes": notes,
        "model": folder.name,
        "rows": rows,
        "distinct_texts": min(rows, len(set(some))),
        "tokens_per_row": bench.tokens / rows,
        "goals": {
            "rows_per_second": GOAL_ROWS_PER_SECOND,
            "share_of_matrix_rate": GOAL_SHARE_OF_MATRIX_RATE,
            "published_rows_per_second": PUBLISHED_ROWS_PER_SECOND,
        },
    }
    record = Record(asked.out, about, asked.seconds)
    measure_all(record, bench, plan, some, asked.labelled)
    sys.stdout.write(_table(record))
    return 0


def _read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rows", type=int, help="texts of one repetition; 200,000 on a GPU")
    parser.add_argument("--model", default="base", help="base (random weights), bundled or a folder")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=540.0, help="begin no measurement after so many seconds")
    parser.add_argument("--data", type=Path, default=default_data(), help="Parquet file with a column text")
    parser.add_argument("--labelled", type=Path, default=default_data().parent / "emotion" / "test.txt")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    return parser.parse_args(arguments)


def _texts(data: Path, rows: int) -> tuple[list[str], list[str]]:
    """Return texts, fewer than `rows` where there are fewer, and what is to be said of them."""
    if data.is_file():
        return read_texts(data, rows), []
    return paired_probes(), [f"no messages in {data}: pairs of probe sentences instead, over and over"]


def _base_model(plan: Plan) -> Path:
    return write_random_model(BUILD / ("random-base" if plan is ON_GPU else "random-tiny"), plan.sizes)


def _describe_gpu() -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
    }


def _table(record: Record) -> str:
    about = record.about
    gpu = about["gpu"]["name"] if about["gpu"] else "no GPU"
    lines = [
        "",
        f"{gpu}, {about['machine']['cores']} cores of {about['machine']['cpu']}; {about['model']}; "
        f"{about['rows']:,} texts, {about['tokens_per_row']:.1f} tokens each",
        *(f"NOTE: {note}" for note in about["notes"]),
        f"goals: {GOAL_ROWS_PER_SECOND:,} rows/s and {GOAL_SHARE_OF_MATRIX_RATE:.0%} of the matrix rate; the published "
        f"card's evaluation ran at {PUBLISHED_ROWS_PER_SECOND:,} rows/s",
    ]
    for name, entry in record.found.items():
        goal = f"  [{entry['goal']}]" if entry.get("goal") else ""
        lines.append(f"{name:<52} {entry.get('text') or 'FAILED: ' + entry['error']}{goal}")
    return "\n".join(lines) + "\n"


def _tera(rate: float) -> str:
    return f"{rate / 1e12:,.1f}" if rate >= 1e12 else f"{rate / 1e12:.4f}"


if __name__ == "__main__":
    sys.exit(main())
