"""Let people read a sample of the messages, and tell how many of the labels are right.

python jobs/audit_labels.py --config conf/nightly.toml draw --n 300 --out sample.csv
python jobs/audit_labels.py --config conf/nightly.toml record sample.csv
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from emotion_udf.audit.draw import STRATA
from emotion_udf.jobs.auditing import Auditing
from emotion_udf.jobs.command_line import SettingsParser, end_process, exit_code_of, parse, whole_number
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.window import Window, make_window

_MOST_MESSAGES = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    options = parse(_parser(), arguments)

    def job() -> None:
        settings = load_settings(NightSettings, options.config, options.overrides)
        auditing = Auditing(settings)
        if options.command == "draw":
            auditing.draw(_window(options, settings), options.n, options.seed, options.out, options.debug)
        else:
            auditing.record(options.sheet)

    return exit_code_of(job, options.debug)


def _window(options: argparse.Namespace, settings: NightSettings) -> Window | None:
    """Return the days that the command line names, None where it names none."""
    if options.date is options.first is options.last is None:
        return None
    return make_window(options.date, options.first, options.last, settings.window.timezone)


def _parser() -> SettingsParser:
    parser = SettingsParser(
        "Let people read a sample of the messages, and tell how many of the labels are right.",
        NightSettings,
        "conf/nightly.toml",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser
    )
    drawing = "draw a sample and write a sheet of its texts, for a person to fill"
    draw = commands.add_parser("draw", help=drawing, description=drawing)
    draw.add_argument(
        "--n",
        type=whole_number(STRATA, _MOST_MESSAGES),
        required=True,
        metavar="N",
        help=f"messages, {STRATA} to {_MOST_MESSAGES:,}",
    )
    draw.add_argument("--out", type=Path, required=True, metavar="FILE", help="the sheet, a CSV file; it holds texts")
    draw.add_argument("--date", metavar="D", help="the day, YYYY-MM-DD; by default the days of the newest release")
    draw.add_argument("--from", metavar="D", dest="first", help="the first of several days, with --to")
    draw.add_argument("--to", metavar="D", dest="last", help="the last of several days, with --from")
    draw.add_argument("--seed", type=int, default=0, metavar="N", help="another one draws other messages; 0 by default")
    recording = "check a sheet that was filled, add it to the table audits, and print the precision of the labels"
    record = commands.add_parser("record", help=recording, description=recording)
    record.add_argument("sheet", type=Path, metavar="FILE", help="the sheet")
    return parser


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
