"""Tell whether days are published, by the tables: the last word for schedulers, whose exit codes can be wrong.

python jobs/check_published.py --config conf/nightly.toml --date 2026-10-05
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from emotion_udf.errors import UsageError
from emotion_udf.jobs.command_line import JobParser, add_days, days_of, end_process, exit_code_of, parse
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables.published import find_published

_EXIT_CODES = """\
exit codes:
  0 every day is in the newest release   1 some are not, or an unexpected error   2 usage or settings
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    options = parse(_parser(), arguments)

    def job() -> None:
        root, timezone = _place(options)
        window = days_of(options, timezone)
        release = find_published(root, window.dates, options.since).require_all()
        print(f"{window} is in release {release.number} of {release.released_at:%Y-%m-%d %H:%M:%S} UTC")

    return exit_code_of(job, options.debug)


def _parser() -> JobParser:
    parser = JobParser("Tell whether days are in the newest release. It needs no Spark.", exit_codes=_EXIT_CODES)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", type=Path, metavar="FILE", help="the nightly job's settings, which name the tables")
    where.add_argument("--warehouse", metavar="ROOT", help="the tables, warehouse.root of the settings")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        dest="overrides",
        help="with --config: replace one setting",
    )
    add_days(parser, "look for")
    parser.add_argument(
        "--since",
        type=_moment,
        metavar="TIME",
        help="only days count that a run has published which began at this time or later, such as "
        "2026-10-06T02:30:00+02:00 (UTC without a zone): for days that are labelled again",
    )
    return parser


def _place(options: argparse.Namespace) -> tuple[Folder, str]:
    """Return the warehouse's root, and the time zone whose days count."""
    if options.config is None:
        if options.overrides or options.last_days:
            raise UsageError("expected --set and --last-days together with --config, found one of them without")
        return open_folder(options.warehouse), "UTC"
    settings = load_settings(NightSettings, options.config, options.overrides)
    return open_folder(settings.warehouse.root, settings.warehouse.timeout_s), settings.window.timezone


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a time as 2026-10-06T02:30:00Z, found {text!r}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
