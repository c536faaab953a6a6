"""Compare this project's UDF with its peers: the same rows, model and cores, Parquet to Parquet, in one run.

python -m benchmarks.throughput --rows 2000 --peers hf-pipeline,ray --out build/benchmarks/throughput.json
"""

import argparse
import json
import signal
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NotRequired, TypedDict

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.contenders.measurement import Request, Settings
from benchmarks.contenders.process import OURS, PEERS, PEERS_READY, Contender, Outcome, ours, peer, run_contender
from benchmarks.inputs import BUILD, BenchmarkError, Rows, default_data, find_model, write_rows
from benchmarks.machine import Machine, commit, describe_machine, versions

WORK: Final = BUILD / "throughput"
"""Where rows, labels, answers and logs of a run stay until the next one."""


class Result(TypedDict):
    """What is known of one contender; `failed` says why there are no figures.

    Args:
        rows_per_s: Rows by the median of `seconds`.
        seconds: Wall-clock seconds of each timed job.
        start_up_s: What each job took beside `seconds` until its workers were ready; 0 for those that keep workers.
        warm_up_s: From the start of its process to the end of its warm-up: a cold start.
        settings: How it was set.
        versions: Of the packages that it ran with.
        labels_equal: Share of rows with the label that this project's UDF gives; None where that failed.
    """

    rows_per_s: NotRequired[float]
    seconds: NotRequired[list[float]]
    start_up_s: NotRequired[list[float]]
    warm_up_s: NotRequired[float]
    settings: NotRequired[Settings]
    versions: NotRequired[dict[str, str]]
    labels_equal: NotRequired[float | None]
    failed: NotRequired[str]
    log: NotRequired[str]


class Comparison(TypedDict):
    """The result file.

    Args:
        results: By contender.
        ratios: How many times as fast as each peer this project's UDF is.
        rows: Rows of a timed job.
        model: As it was asked for.
        cores: Cores of each contender.
        machine: See `describe_machine`.
        versions: Of the project's environment.
        commit: Of the project, with a + where files differ.
        measured_at: When the run began, ISO 8601 in UTC.
    """

    results: dict[str, Result]
    ratios: dict[str, float]
    rows: int
    model: str
    cores: int
    machine: Machine
    versions: dict[str, str]
    commit: str
    measured_at: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; 0, or 1 where a contender failed, or 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        contenders = chosen(options.peers, options.best)
        rows = write_rows(options.data, options.rows, options.cores, WORK / "rows")
        model = find_model(options.model)
    except BenchmarkError as error:
        console.print(f"throughput: {error}", markup=False, highlight=False)
        return 2
    found = Comparison(
        results={},
        ratios={},
        rows=options.rows,
        model=options.model,
        cores=options.cores,
        machine=describe_machine(),
        versions=versions(),
        commit=commit(),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    request = _request(model, rows, options.cores, options.repeats)
    found["results"] = compare(contenders, request, options.rows, options.timeout, console)
    found["ratios"] = ratios(found["results"])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    Console().print(to_table(found))
    console.print(f"results: {options.out.resolve()}", markup=False, highlight=False, soft_wrap=True)
    return 1 if any("failed" in result for result in found["results"].values()) else 0


def chosen(names: Sequence[str], best: bool) -> list[Contender]:
    """Return this project's contender and the peers of these names, each with its best settings too if asked for.

    Raises:
        BenchmarkError: There is no such peer, or no environment for peers.
    """
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise BenchmarkError(f"expected --peers from {', '.join(PEERS)}, found {', '.join(unknown)}")
    if names and not PEERS_READY.exists():
        raise BenchmarkError(
            "expected the peers' environment in .venv-benchmarks, found none; run tools/setup_benchmarks.sh"
        )
    variants = (False, True) if best else (False,)
    return [ours(), *(peer(name, variant) for name in names for variant in variants)]


def compare(
    contenders: Sequence[Contender], request: Request, rows: int, timeout_s: float, console: Console
) -> dict[str, Result]:
    """Run contenders one after the other and compare their labels with the first one's."""
    results: dict[str, Result] = {}
    reference: dict[str, str] = {}
    for number, contender in enumerate(contenders):
        asked = replace(
            request,
            output=request.output / contender.name,
            answer=request.answer / f"{contender.name}.json",
            best=contender.best,
        )
        outcome = run_contender(contender, asked, timeout_s)
        result = to_result(outcome, rows)
        if "failed" not in result:
            labels = read_labels(asked.output)
            if number == 0:
                reference = labels
            result = checked(result, labels, reference, rows, outcome.log)
        results[contender.name] = result
        console.print(_said(contender.name, result), markup=False, highlight=False, soft_wrap=True)
    return results


def to_result(outcome: Outcome, rows: int) -> Result:
    """Turn what a contender said into its figures."""
    answer = outcome.answer
    if outcome.warm_up_s is None:
        return Result(failed=answer["error"], log=str(outcome.log))
    return Result(
        rows_per_s=rows / statistics.median(answer["seconds"]),
        seconds=answer["seconds"],
        start_up_s=answer["start_up_s"],
        warm_up_s=outcome.warm_up_s,
        settings=answer["settings"],
        versions=answer["versions"],
    )


def checked(result: Result, labels: Mapping[str, str], reference: Mapping[str, str], rows: int, log: Path) -> Result:
    """Add the share of equal labels; a contender that lost rows has failed, however fast it was."""
    if len(labels) != rows:
        return Result(failed=f"expected {rows:,} labelled rows, found {len(labels):,}", log=str(log))
    return result | Result(labels_equal=share_of_equal(labels, reference))


def read_labels(folder: Path) -> dict[str, str]:
    """Read a contender's labels by id."""
    labelled = pq.read_table(folder, columns=["id", "label"])
    return dict(zip(labelled["id"].to_pylist(), labelled["label"].to_pylist(), strict=True))


def share_of_equal(labels: Mapping[str, str], reference: Mapping[str, str]) -> float | None:
    """Return the share of the reference's labels that `labels` repeats; None without a reference."""
    if not reference:
        return None
    return sum(labels.get(row) == label for row, label in reference.items()) / len(reference)


def ratios(results: Mapping[str, Result]) -> dict[str, float]:
    """Return how many times as fast as each peer this project's UDF is; nothing where either failed."""
    own = results.get(OURS, Result()).get("rows_per_s")
    if own is None:
        return {}
    return {
        name: own / result["rows_per_s"] for name, result in results.items() if name != OURS and "rows_per_s" in result
    }


def to_table(found: Comparison) -> Table:
    """Return the comparison as a table, one line a contender."""
    machine = found["machine"]
    title = (
        f"{found['rows']:,} rows, model {found['model']}, {found['cores']} cores of {machine['cpu']}"
        f"{' with ' + ', '.join(machine['flags']) if machine['flags'] else ''}"
    )
    table = Table(title=title, title_justify="left")
    table.add_column("contender")
    for heading in ("rows/s", "seconds, all repeats", "cold start s", "emotion-udf is", "equal labels"):
        table.add_column(heading, justify="right")
    for name, result in found["results"].items():
        if "failed" in result:
            table.add_row(name, "failed", result["failed"])
            continue
        ratio, equal = found["ratios"].get(name), result["labels_equal"]
        table.add_row(
            name,
            f"{result['rows_per_s']:,.1f}",
            " ".join(f"{seconds:.2f}" for seconds in result["seconds"]),
            f"{result['warm_up_s']:.1f}",
            "" if ratio is None else f"{ratio:.2f} ×",
            "" if equal is None else f"{equal:.2%}",
        )
    return table


def _request(model: Path, rows: Rows, cores: int, repeats: int) -> Request:
    """Return what every contender is asked; outputs and answers are folders, with a file for each contender."""
    return Request(model, rows.timed, rows.warm_up, WORK / "labels", WORK / "answers", cores, repeats, best=False)


def _said(name: str, result: Result) -> str:
    if "failed" in result:
        return f"{name}: failed: {result['failed']} (log: {result['log']})"
    return f"{name}: {result['rows_per_s']:,.1f} rows/s"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive number, found {text}")
    return number


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="throughput", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rows", type=_positive, default=2_000, help="messages of a timed job")
    parser.add_argument("--peers", type=_names, default=list(PEERS), metavar="NAME,…", help=f"from {', '.join(PEERS)}")
    parser.add_argument("--best", action="store_true", help="run each peer with the best settings found for it, too")
    parser.add_argument("--model", default="base", help="base or tiny (random weights), bundled, or a model folder")
    parser.add_argument("--repeats", type=_positive, default=3, help="timed jobs of each contender")
    parser.add_argument("--cores", type=_positive, default=2, help="cores of each contender")
    parser.add_argument("--data", type=Path, default=default_data(), help="Parquet with id and text")
    parser.add_argument("--out", type=Path, default=BUILD / "throughput.json", help="the result file")
    parser.add_argument(
        "--timeout", type=_positive, default=3_600, metavar="S", help="seconds that a contender may take"
    )
    return parser


if __name__ == "__main__":
    # A contender has a session of its own, so it would outlive a run that is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
