"""Look after the tables: list releases, go back to one, join and delete files, forget messages.

python jobs/maintain_tables.py --config conf/nightly.toml show-releases
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from emotion_udf.jobs.command_line import SettingsParser, end_process, exit_code_of, parse, whole_number
from emotion_udf.jobs.maintenance import Maintenance
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.nightly import NightSettings
from emotion_udf.tables.delta import LOG_DAYS

_COMMANDS = {
    "show-releases": "list the releases, the newest last",
    "show-runs": "list the runs, the newest last",
    "rollback": "show dates that changed since a release as they were in it",
    "compact": "join the small files of all tables",
    "vacuum": "delete the files that no kept release needs, and what failed runs have left",
    "drop-scores": "take the scores of a model out of text_scores",
    "forget": "erase messages from every file of every table",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    options = parse(_parser(), arguments)

    def job() -> None:
        settings = load_settings(NightSettings, options.config, options.overrides)
        maintenance = Maintenance(settings, getattr(options, "dry_run", False))
        maintenance.require_tables(options.command)
        if options.command == "show-releases":
            maintenance.show_releases(options.last)
        elif options.command == "show-runs":
            maintenance.show_runs(options.last)
        elif options.command == "rollback":
            maintenance.rollback(options.to)
        elif options.command == "compact":
            maintenance.compact()
        elif options.command == "vacuum":
            maintenance.vacuum(options.older_than)
        elif options.command == "drop-scores":
            maintenance.drop_scores(options.model)
        else:
            maintenance.forget(options.ids)

    return exit_code_of(job, options.debug)


def _parser() -> SettingsParser:
    parser = SettingsParser("Look after the tables of the nightly job.", NightSettings, "conf/nightly.toml")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=argparse.ArgumentParser
    )
    added = {name: commands.add_parser(name, help=meaning, description=meaning) for name, meaning in _COMMANDS.items()}
    for name in ("show-releases", "show-runs"):
        added[name].add_argument(
            "--last", type=whole_number(1), default=20, metavar="N", help="how many; 20 by default"
        )
    for name in ("rollback", "compact", "vacuum", "drop-scores", "forget"):
        added[name].add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
    added["rollback"].add_argument("--to", type=int, required=True, metavar="RELEASE", help="the release's number")
    added["vacuum"].add_argument(
        "--older-than",
        type=_days,
        required=True,
        metavar="DAYS",
        help=f"keep the releases that were the newest within so many days, 1 to {LOG_DAYS}",
    )
    added["drop-scores"].add_argument("--model", required=True, metavar="FINGERPRINT", help="as in runs")
    added["forget"].add_argument(
        "--ids", type=Path, required=True, metavar="FILE", help="the messages' ids, one a line"
    )
    return parser


def _days(text: str) -> int:
    days = whole_number(1)(text)
    if days > LOG_DAYS:
        raise argparse.ArgumentTypeError(f"expected at most {LOG_DAYS} days, for so long a log is kept, found {days}")
    return days


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
