"""Copy the newest release to PostgreSQL: `emotion_daily`, `runs` and `releases`.

python jobs/publish_postgres.py --config conf/postgres.toml
"""

from collections.abc import Sequence
from typing import NoReturn

from emotion_udf.errors import UsageError
from emotion_udf.jobs.command_line import SettingsParser, end_process, exit_code_of, parse
from emotion_udf.settings.load import load_settings
from emotion_udf.settings.publish import PublishSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    parser = SettingsParser(
        "Copy emotion_daily, runs and releases of the newest release to PostgreSQL, in one transaction.",
        PublishSettings,
        "conf/postgres.toml",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="replace every date and every run, also what is there already, such as after a change by hand",
    )
    options = parse(parser, arguments)

    def job() -> None:
        settings = load_settings(PublishSettings, options.config, options.overrides)
        try:
            from emotion_udf.postgres.copy import copy_release
        except ImportError as error:  # psycopg's own says so where it finds no libpq
            raise UsageError("expected psycopg, found none that works; pip install 'emotion-udf[postgres]'") from error
        print(copy_release(settings.warehouse.root, settings.postgres, options.all))

    return exit_code_of(job, options.debug)


def run() -> NoReturn:
    """Run the job as this process, and end it."""
    end_process(main())


if __name__ == "__main__":
    run()
