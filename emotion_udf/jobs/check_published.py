"""Tell whether days are published, by the tables: the last word for schedulers, whose exit codes can be wrong.

python jobs/check_published.py --config conf/nightly.toml --date 2026-10-05
"""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from emotion_udf.errors import UsageError
from emotion_udf.jobs.command_line import JobParser, end_process, exit_code_of, parse
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.storage import Folder, open_folder
from emotion_udf.tables.published import find_published
from emotion_udf.window import make_window

_EXIT_CODES = """\
exit codes:
  0 every day is in the newest release   1 some are not, or an unexpected error   2 usage or settings
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    options = parse(_parser(), arguments)

    def job() -> None:
        window = make_window(options.date, options.first, options.last, "UTC")  # days are days in any zone
        release = find_published(_root(options), window.dates, options.since).require_all()
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
    parser.add_argument("--date", metavar="D", help="the day, YYYY-MM-DD")
    parser.add_argument("--from", metavar="D", dest="first", help="the first of several days, with --to")
    parser.add_argument("--to", metavar="D", dest="last", help="the last of several days, with --from")
    parser.add_argument(
        "--since",
        type=_moment,
        metavar="TIME",
        help="only days count that a run has published which began at this time or later, such as "
        "2026-10-06T02:30:00+02:00 (UTC without a zone): for days that are labelled again",
    )
    return parser


def _root(options: argparse.Namespace) -> Folder:
    if options.config is None:
        if options.overrides:
            raise UsageError("expected --set together with --config, found it without")
        return open_folder(options.warehouse)
    settings = load_settings(NightSettings, options.config, options.overrides).warehouse
    return open_folder(settings.root, settings.timeout_s)


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
