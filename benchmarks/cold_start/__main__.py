"""Measure the seconds from spark-submit to the first scored row.

    python -m benchmarks.cold_start --repeats 3 --out benchmarks/results/cold_start.json

Every contender is job.py as a Spark job of one row, started by plain spark-submit and by tools/submit.sh. Processes are
new, files are not: a round that does not count puts them into the page cache.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.cold_start.contenders import CONTENDERS
from benchmarks.cold_start.starts import measure
from benchmarks.cold_start.told import summarise, table_of
from benchmarks.inputs import BenchmarkError, find_model
from benchmarks.machine import ROOT, write_result
from benchmarks.submits import prepare


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 2 where it cannot be measured as asked."""
    parser = argparse.ArgumentParser(description="Measure the seconds from spark-submit to the first scored row.")
    parser.add_argument("--model", default="bundled", help="bundled, base, tiny or a model folder")
    parser.add_argument("--repeats", type=int, default=3, help="starts of each contender that count")
    parser.add_argument("--timeout", type=float, default=600, metavar="S", help="seconds that one start may take")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "cold_start.json")
    options = parser.parse_args(arguments)
    try:
        model = str(find_model(options.model))
        prepare(options.timeout)
        starts = measure(CONTENDERS, model, options.repeats, options.timeout)
    except BenchmarkError as error:
        Console(stderr=True).print(f"cold_start: {error}", markup=False, highlight=False)
        return 2
    summary = summarise({contender: measured.seconds for contender, measured in starts.items()})
    contenders = {contender.name: vars(measured) for contender, measured in starts.items()}
    write_result(options.out, {"model": options.model, "contenders": contenders, "summary": summary})
    Console().print(table_of(starts, summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
