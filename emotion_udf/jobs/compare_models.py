"""Compare the labels of two models on the messages of some days, before anybody switches.

python jobs/compare_models.py --config conf/nightly.toml --with /models/new --date 2026-10-05
"""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from emotion_udf.audit.changes import ShareChange, changed_share, share_changes
from emotion_udf.audit.sheet import check_place
from emotion_udf.emotions import EMOTIONS
from emotion_udf.errors import UsageError
from emotion_udf.jobs.command_line import SettingsParser, end_process, exit_code_of, parse
from emotion_udf.nightly.compare import Comparison, compare_models
from emotion_udf.session import start_session
from emotion_udf.settings.classifier import ClassifierSettings
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.tables.opening import open_warehouse
from emotion_udf.window import make_window

_FORMATS = (".csv", ".json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    options = parse(_parser(), arguments)

    def job() -> None:
        settings = load_settings(NightSettings, options.config, options.overrides)
        window = make_window(options.date, options.first, options.last, settings.window.timezone)
        if options.out:
            _check_out(options.out)
        model = {"model": options.model, "revision": options.revision, "labels": options.labels, "expect": None}
        other = settings.classifier.model_copy(update=model)
        spark = start_session(f"two models on {window}", options.debug)
        try:
            comparison = compare_models(spark, settings, other, window, open_warehouse(settings.warehouse, spark))
        finally:
            spark.stop()
        _print(comparison, settings.classifier, other, Console())
        if options.out:
            _write(comparison, options.out)

    return exit_code_of(job, options.debug)


def _parser() -> SettingsParser:
    parser = SettingsParser(
        "Compare the labels of two models on the messages of some days; nothing is published.",
        NightSettings,
        "conf/nightly.toml",
    )
    model = ClassifierSettings.model_fields
    parser.add_argument(
        "--with",
        dest="model",
        required=True,
        metavar="MODEL",
        help=f"the model to compare with that of the settings: {model['model'].description}",
    )
    parser.add_argument("--revision", metavar="COMMIT", help=f"of --with: {model['revision'].description}")
    parser.add_argument(
        "--labels", type=_names, metavar="NAME,NAME,…", help=f"of --with: {model['labels'].description}"
    )
    parser.add_argument("--date", metavar="D", help="the day, YYYY-MM-DD")
    parser.add_argument("--from", metavar="D", dest="first", help="the first of several days, with --to")
    parser.add_argument("--to", metavar="D", dest="last", help="the last of several days, with --from")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="also write counts of label changes as .csv, or everything as .json"
    )
    return parser


def _names(joined: str) -> list[str]:
    return joined.split(",")


def _check_out(file: Path) -> None:
    if file.suffix not in _FORMATS:
        raise UsageError(f"expected --out with a name in {' or '.join(_FORMATS)}, found {file.name!r}")
    check_place(file)


def _print(comparison: Comparison, old: ClassifierSettings, new: ClassifierSettings, console: Console) -> None:
    messages = sum(change.feedback_count for change in comparison.changes)
    console.print(
        f"{messages:,} messages of {comparison.window}: {changed_share(comparison.changes):.1%} change their emotion\n"
        f"  old: {old.model} ({comparison.old.fingerprint}), {comparison.scored[0]:,} texts scored\n"
        f"  new: {new.model} ({comparison.new.fingerprint}), {comparison.scored[1]:,} texts scored",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    console.print(_changes_table(comparison))
    console.print(_shares_table(share_changes(comparison.changes)))


def _changes_table(comparison: Comparison) -> Table:
    """Return the messages by old label (rows) and new label (columns)."""
    counts: Counter[tuple[str, str]] = Counter()
    for change in comparison.changes:
        counts[change.old_emotion, change.new_emotion] += change.feedback_count
    table = Table(title="Messages, old label by new label", title_justify="left")
    for place, heading in enumerate(("old \\ new", *EMOTIONS, "all")):
        table.add_column(heading, justify="right" if place else "left")
    for old in EMOTIONS:
        row = [counts[old, new] for new in EMOTIONS]
        table.add_row(old, *(f"{count:,}" for count in [*row, sum(row)]))
    totals = [sum(counts[old, new] for old in EMOTIONS) for new in EMOTIONS]
    table.add_row("all", *(f"{count:,}" for count in [*totals, sum(totals)]))
    return table


def _shares_table(shares: Sequence[ShareChange]) -> Table:
    table = Table(title="Shares, and their difference in points with its 95 % interval", title_justify="left")
    for place, heading in enumerate(("", "old", "new", "difference", "")):
        table.add_column(heading, justify="right" if place else "left")
    for share in shares:
        points = [100 * value for value in (share.difference, share.low, share.high)]
        table.add_row(
            share.label,
            f"{share.old:.1%}",
            f"{share.new:.1%}",
            f"{points[0]:+.1f}",
            f"{points[1]:+.1f} to {points[2]:+.1f}",
        )
    return table


def _write(comparison: Comparison, file: Path) -> None:
    """Write the comparison; it holds no text and no id."""
    changes = [asdict(change) for change in comparison.changes]
    try:
        with file.open("x", encoding="utf-8", newline="") as stream:
            if file.suffix == ".json":
                json.dump(_as_json(comparison) | {"changes": changes}, stream, indent=1)
                stream.write("\n")
            else:
                writer = csv.DictWriter(stream, list(changes[0]))
                writer.writeheader()
                writer.writerows(changes)
    except OSError as error:
        raise UsageError(f"expected to write {file}, found {type(error).__name__}; check the disk") from error


def _as_json(comparison: Comparison) -> dict[str, Any]:
    shares = [asdict(share) | {"difference": share.difference} for share in share_changes(comparison.changes)]
    return {
        "from_date": str(comparison.window.first),
        "to_date": str(comparison.window.last),
        "old_fingerprint": comparison.old.fingerprint,
        "new_fingerprint": comparison.new.fingerprint,
        "changed_share": changed_share(comparison.changes),
        "shares": shares,
    }


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
