"""How fast the classifier scores on a GPU, where the time goes, and how much of the hardware that uses. One command.

    python -m benchmarks.gpu --out gpu.json

Needs torch, tokenizers, safetensors, numpy, pandas and pyarrow, and no Spark, Java or transformers. Tokenising is part
of every figure of scoring. A measurement that fails is reported in its line, and the others go on; the JSON is written
anew after each. Without a GPU the same code runs with tiny sizes, to see that it does.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.inputs import base_model, messages_or_probes
from benchmarks.gpu.order import measure_all
from benchmarks.gpu.plan import (
    GOAL_ROWS_PER_SECOND,
    GOAL_SHARE_OF_MATRIX_RATE,
    ON_GPU,
    PUBLISHED_ROWS_PER_SECOND,
    TINY,
    Plan,
)
from benchmarks.gpu.record import Record
from benchmarks.gpu.speed import Bench
from benchmarks.gpu.told import table
from benchmarks.inputs import BenchmarkError, default_data, find_model
from benchmarks.machine import commit, describe_machine, versions
from emotion_udf.classifier.artifact import ArtifactSource, open_artifact
from emotion_udf.classifier.device import choose_device
from emotion_udf.errors import UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything, print the table, and return the exit code."""
    asked = _read_arguments(arguments)
    try:
        plan = TINY if choose_device(asked.device, torch.cuda.device_count()) == "cpu" else ON_GPU
        folder = base_model(plan) if asked.model == "base" else find_model(asked.model)
        artifact = open_artifact(ArtifactSource(str(folder)))
    except (BenchmarkError, UsageError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    rows = asked.rows or plan.rows
    texts, notes = messages_or_probes(asked.data, rows)
    bench = Bench(plan, artifact, list(islice(cycle(texts), rows)), asked.repeats)
    about = _describe_run(plan, notes) | {
        "model": folder.name,
        "rows": rows,
        "distinct_texts": min(rows, len(set(texts))),
        "tokens_per_row": bench.tokens / rows,
        "goals": {
            "rows_per_second": GOAL_ROWS_PER_SECOND,
            "share_of_matrix_rate": GOAL_SHARE_OF_MATRIX_RATE,
            "published_rows_per_second": PUBLISHED_ROWS_PER_SECOND,
        },
    }
    record = Record(asked.out, about, asked.seconds)
    measure_all(record, bench, plan, texts, asked.labelled)
    sys.stdout.write(table(record.about, record.found))
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


def _describe_run(plan: Plan, notes: list[str]) -> dict[str, Any]:
    """Return where, with what and of which commit is measured, and what is to be said of that."""
    tiny = [] if plan.on_gpu else ["no GPU: tiny sizes on the CPU, which only show that the benchmark runs"]
    return {
        "benchmark": "gpu",
        "commit": commit(),
        "machine": describe_machine(),
        "gpu": _describe_gpu() if plan.on_gpu else None,
        "versions": versions(),
        "notes": tiny + notes,
    }


def _describe_gpu() -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
    }


if __name__ == "__main__":
    sys.exit(main())
